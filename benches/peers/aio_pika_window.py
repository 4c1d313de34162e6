"""Publishes through aio-pika, WINDOW unconfirmed at a time.

Argument: queue, messages, body size, window. Environment: PEER_URI.
Prints the number of messages confirmed, and the seconds it took.
"""

import asyncio
import os
import sys
import time

import aio_pika

queue, count, size, window = sys.argv[1], *map(int, sys.argv[2:5])
body = b"x" * size


async def publisher(exchange, numbers):
    """One of WINDOW: publishes, awaits the confirm, takes the next number."""
    confirmed = 0
    for number in numbers:
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=f"payment-{number:04}",
        )
        # Raises when the broker refuses it or hands it back.
        await exchange.publish(message, queue, mandatory=True)
        confirmed += 1
    return confirmed


async def main():
    connection = await aio_pika.connect(os.environ["PEER_URI"])
    async with connection:
        channel = await connection.channel(
            publisher_confirms=True, on_return_raises=True
        )
        exchange = channel.default_exchange
        numbers = iter(range(1, count + 1))
        began = time.perf_counter()
        confirmed = await asyncio.gather(
            *(publisher(exchange, numbers) for _ in range(window))
        )
        print(sum(confirmed), time.perf_counter() - began)


asyncio.run(main())
