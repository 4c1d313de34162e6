"""Publishes through pika's SelectConnection, WINDOW unconfirmed at a time.

Argument: queue, messages, body size, window. Environment: PEER_URI.
Prints the number of messages confirmed, and the seconds it took.
"""

import os
import sys
import time

import pika

queue, count, size, window = sys.argv[1], *map(int, sys.argv[2:5])
body = b"x" * size
# A confirm for one tag leaves the others open; "multiple" closes all below.
open_tags = set()
oldest = 1
sent = confirmed = 0
began = ended = 0.0


def on_open(connection):
    connection.channel(on_open_callback=on_channel)


def on_channel(channel):
    channel.add_on_return_callback(lambda *_: sys.exit("it came back"))
    channel.confirm_delivery(
        lambda frame: on_confirm(channel, frame.method),
        callback=lambda _: start(channel),
    )


def start(channel):
    global began
    began = time.perf_counter()
    refill(channel)


def refill(channel):
    global sent
    while sent < count and len(open_tags) < window:
        sent += 1
        open_tags.add(sent)
        channel.basic_publish(
            "",
            queue,
            body,
            pika.BasicProperties(
                delivery_mode=2, message_id=f"payment-{sent:04}"
            ),
            mandatory=True,
        )


def on_confirm(channel, method):
    global oldest, confirmed, ended
    if not isinstance(method, pika.spec.Basic.Ack):
        sys.exit("it was refused")
    tag = method.delivery_tag
    before = len(open_tags)
    if method.multiple:
        open_tags.difference_update(range(oldest, tag + 1))
        oldest = max(oldest, tag + 1)
    else:
        open_tags.discard(tag)
    confirmed += before - len(open_tags)
    if confirmed == count:
        ended = time.perf_counter()
        channel.connection.close()
    else:
        refill(channel)


connection = pika.SelectConnection(
    pika.URLParameters(os.environ["PEER_URI"]),
    on_open_callback=on_open,
    on_open_error_callback=lambda _, error: sys.exit(str(error)),
    on_close_callback=lambda connection, _: connection.ioloop.stop(),
)
connection.ioloop.start()
print(confirmed, ended - began)
