/**
 * Server-sent events over a fastify reply, as OpenAI's clients read them: `data: {json}`, then
 * `data: [DONE]`. Owns the frames, pings while nothing comes, and back-pressure.
 */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { toErrorResponse } from './error-response.ts'

/** Proxies close a silent connection after a minute or so. */
const pingMs = 15_000

/** Aborts when the client goes away before the reply is complete. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const abort = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort()
  })
  return abort.signal
}

/**
 * The same stream once its first item is there; so whatever is wrong with a request is thrown before the
 * status line is sent.
 */
export async function started<T>(source: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = await iterator.next()
  return (async function* () {
    try {
      for (let item = first; !item.done; item = await iterator.next()) yield item.value
    } finally {
      await iterator.return?.()
    }
  })()
}

/** An event that a client can go on from: it sends the last `id` it saw when it connects again. */
export interface NumberedFrame {
  readonly id: number
  readonly data: unknown
}

/** Sends the frames. An error in mid-stream becomes a last frame with OpenAI's error body. */
export function sendEventStream(reply: FastifyReply, frames: AsyncIterable<unknown>): FastifyReply {
  return send(reply, frames, (frame) => dataFrame(frame), 'data: [DONE]\n\n')
}

/** The same for numbered frames; the stream just ends with the last one. */
export function sendNumberedStream(
  reply: FastifyReply,
  frames: AsyncIterable<NumberedFrame>,
): FastifyReply {
  return send(reply, frames, ({ id, data }) => `id: ${id}\n${dataFrame(data)}`, '')
}

/** The same for frames with a type, which is the name of the event, too: OpenAI's responses. */
export function sendTypedStream(
  reply: FastifyReply,
  frames: AsyncIterable<{ type: string }> | Iterable<{ type: string }>,
): FastifyReply {
  const encode = (frame: { type: string }): string => `event: ${frame.type}\n${dataFrame(frame)}`
  return send(reply, frames, encode, 'data: [DONE]\n\n')
}

const dataFrame = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

function send<Frame>(
  reply: FastifyReply,
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  encode: (frame: Frame) => string,
  last: string,
): FastifyReply {
  const stream = new PassThrough()
  void writeFrames(reply, stream, frames, encode).then(() => {
    if (!stream.destroyed) stream.end(last)
  })
  return reply
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no')
    .send(stream)
}

async function writeFrames<Frame>(
  reply: FastifyReply,
  stream: PassThrough,
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  encode: (frame: Frame) => string,
): Promise<void> {
  const ping = setInterval(() => stream.write(': ping\n\n'), pingMs)
  try {
    for await (const frame of frames) {
      if (stream.destroyed) return
      if (!stream.write(encode(frame))) await drained(stream)
    }
  } catch (error) {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) reply.log.error(error)
    if (!stream.destroyed) stream.write(dataFrame(body))
  } finally {
    clearInterval(ping)
  }
}

async function drained(stream: PassThrough): Promise<void> {
  const abort = new AbortController()
  const options = { signal: abort.signal }
  await Promise.race([once(stream, 'drain', options), once(stream, 'close', options)]).catch(
    () => {},
  )
  abort.abort()
}
