"""Stands between a client and PostgreSQL, and counts round trips: how often the client speaks after the server did.

count_turns.py SOCKET SERVER COUNTS: listens on the Unix socket SOCKET, passes everything on to the socket SERVER, and writes
a line with the number into COUNTS whenever a connection has ended.
"""

import select
import socket
import sys
import threading


def serve(client, server_path, counts):
    server = socket.socket(socket.AF_UNIX)
    server.connect(server_path)
    turns, last = 0, server
    while True:
        # What the server has said is looked at first: a client that waits for it speaks after it.
        ready = select.select([server, client], [], [])[0]
        source = server if server in ready else client
        data = source.recv(1 << 20)
        if not data:
            break
        if source is client and last is server:
            turns += 1
        last = source
        (client if source is server else server).sendall(data)
    client.close()
    server.close()
    with open(counts, "a") as file:
        file.write(f"{turns}\n")


listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection, sys.argv[2], sys.argv[3]), daemon=True).start()
