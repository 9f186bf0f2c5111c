"""Django's two usual ways to give every object a value computed in Python.

`all-objects` is the documented one: load, change, bulk_update. `chunks N` walks the primary key N objects at a time and
commits each chunk, so its memory is flat. Both are what the ORM is good at: DEBUG is off, so no query is logged; the model has
no signals; the driver is psycopg with its C speed-ups.
"""

import os
import sys

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    INSTALLED_APPS=[],
    USE_TZ=True,
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
    }},
)
django.setup()

from django.db import models, transaction  # noqa: E402  (models need the settings above)

# The CASE that bulk_update builds costs the square of this, and each statement costs a round trip. Between 100 and 1000 the
# speed changed by less than it does from run to run, and so it did with the driver's server-side binding.
BATCH_SIZE = 250


class TheObject(models.Model):
    id = models.BigIntegerField(primary_key=True)
    field1 = models.TextField()
    field2 = models.IntegerField()
    field3 = models.TextField()
    padding = models.TextField()

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "the_object"


def change(objects: list[TheObject]) -> None:
    for the_object in objects:
        the_object.field3 = f"{the_object.field1.upper()}-{the_object.field2 * 3}"


def update_all_objects() -> None:
    objects = list(TheObject.objects.all())
    change(objects)
    TheObject.objects.bulk_update(objects, ["field3"], batch_size=BATCH_SIZE)


def update_in_chunks(rows_per_chunk: int) -> None:
    after = -1
    while True:
        # Only the columns that are needed: the padding stays in the database.
        chunk = list(TheObject.objects.only("id", "field1", "field2").filter(pk__gt=after).order_by("pk")[:rows_per_chunk])
        if not chunk:
            return
        change(chunk)
        with transaction.atomic():
            TheObject.objects.bulk_update(chunk, ["field3"], batch_size=BATCH_SIZE)
        after = chunk[-1].pk


if __name__ == "__main__":
    if sys.argv[1] == "all-objects":
        update_all_objects()
    else:
        update_in_chunks(int(sys.argv[2]))
