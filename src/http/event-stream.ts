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

/** Sends the frames. An error in mid-stream becomes a last frame with OpenAI's error body. */
export function sendEventStream(reply: FastifyReply, frames: AsyncIterable<unknown>): FastifyReply {
  const stream = new PassThrough()
  void writeFrames(reply, stream, frames)
  return reply
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no')
    .send(stream)
}

async function writeFrames(
  reply: FastifyReply,
  stream: PassThrough,
  frames: AsyncIterable<unknown>,
): Promise<void> {
  const ping = setInterval(() => stream.write(': ping\n\n'), pingMs)
  try {
    for await (const frame of frames) {
      if (stream.destroyed) return
      if (!stream.write(`data: ${JSON.stringify(frame)}\n\n`)) await drained(stream)
    }
  } catch (error) {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) reply.log.error(error)
    if (!stream.destroyed) stream.write(`data: ${JSON.stringify(body)}\n\n`)
  } finally {
    clearInterval(ping)
  }
  if (!stream.destroyed) stream.end('data: [DONE]\n\n')
}

async function drained(stream: PassThrough): Promise<void> {
  const abort = new AbortController()
  const options = { signal: abort.signal }
  await Promise.race([once(stream, 'drain', options), once(stream, 'close', options)]).catch(
    () => {},
  )
  abort.abort()
}
