/**
 * Server-sent events over a fastify reply, as OpenAI's clients read them: `data: {json}`, then
 * `data: [DONE]`. Owns the frames, pings while nothing comes, and back-pressure.
 */
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { toErrorResponse } from './error-response.ts'

/** Proxies close a silent connection after a minute or so. */
const defaultPingSeconds = 15

/** How long a request may take to turn out wrong, before its stream is begun. */
const graceMs = 1000

/** Aborts when the client goes away before the reply is complete. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const abort = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) abort.abort()
  })
  return abort.signal
}

/**
 * The same stream once its first item is there, so that whatever is wrong with a request is thrown before the status line
 * is sent; or after a second, so that the client of a long prompt sees that it is being worked on, unless the model is not
 * `ready`.
 */
export async function started<T>(
  source: AsyncIterable<T>,
  model: { readonly ready: boolean } = { ready: true },
): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = iterator.next()
  while (!(await settledWithin(first, graceMs)) && !model.ready);
  return (async function* () {
    try {
      for (let item = await first; !item.done; item = await iterator.next()) yield item.value
    } finally {
      await iterator.return?.()
    }
  })()
}

/** True when the work is done, false when the time is over; fails when the work does before. */
async function settledWithin(work: Promise<unknown>, timeMs: number): Promise<boolean> {
  const timeout = Promise.withResolvers<false>()
  const timer = setTimeout(timeout.resolve, timeMs, false)
  work.catch(() => {}) // Who reads the stream hears of it later.
  return Promise.race([work.then(() => true), timeout.promise]).finally(() => clearTimeout(timer))
}

/** An event that a client can go on from: it sends the last `id` it saw when it connects again. */
export interface NumberedFrame {
  readonly id: number
  readonly data: unknown
}

/**
 * Sends the frames. An error in mid-stream becomes a last frame with OpenAI's error body. A comment goes out after so many
 * seconds of silence, for −1 never.
 */
export function sendEventStream(
  reply: FastifyReply,
  frames: AsyncIterable<unknown>,
  pingSeconds = defaultPingSeconds,
): FastifyReply {
  const last = 'data: [DONE]\n\n'
  return send(reply, frames, { encode: dataFrame, last, pingSeconds })
}

/** The same for numbered frames; the stream just ends with the last one. */
export function sendNumberedStream(
  reply: FastifyReply,
  frames: AsyncIterable<NumberedFrame>,
): FastifyReply {
  const encode = ({ id, data }: NumberedFrame): string => `id: ${id}\n${dataFrame(data)}`
  return send(reply, frames, { encode, last: '' })
}

/** The same for frames with a type, which is the name of the event, too: OpenAI's responses. */
export function sendTypedStream(
  reply: FastifyReply,
  frames: AsyncIterable<{ type: string }> | Iterable<{ type: string }>,
): FastifyReply {
  const encode = (frame: { type: string }): string => `event: ${frame.type}\n${dataFrame(frame)}`
  return send(reply, frames, { encode, last: 'data: [DONE]\n\n' })
}

const dataFrame = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

interface Encoding<Frame> {
  encode(this: void, frame: Frame): string
  /** What ends the stream. */
  last: string
  pingSeconds?: number
}

function send<Frame>(
  reply: FastifyReply,
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  encoding: Encoding<Frame>,
): FastifyReply {
  const stream = new PassThrough()
  void writeFrames(reply, stream, frames, encoding).then(() => {
    if (!stream.destroyed) stream.end(encoding.last)
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
  { encode, pingSeconds = defaultPingSeconds }: Encoding<Frame>,
): Promise<void> {
  const pings = startPings(stream, pingSeconds)
  try {
    for await (const frame of frames) {
      if (stream.destroyed) return
      pings.hush()
      if (!stream.write(encode(frame))) await drained(stream)
    }
  } catch (error) {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) reply.log.error(error)
    if (!stream.destroyed) stream.write(dataFrame(body))
  } finally {
    pings.stop()
  }
}

/** Comments: one at once where no frame comes, which sends the head, then one for each stretch of silence. */
function startPings(stream: PassThrough, seconds: number) {
  if (seconds < 0) return { hush() {}, stop() {} }
  const ping = (): void => {
    if (!stream.destroyed) stream.write(': ping\n\n')
  }
  const first = setTimeout(ping, 50)
  const timer = setInterval(ping, seconds * 1000)
  return {
    hush() {
      clearTimeout(first)
      timer.refresh()
    },
    stop() {
      clearTimeout(first)
      clearInterval(timer)
    },
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
