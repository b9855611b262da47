/** The messages about replies on the WebSocket; `stream-socket.ts` owns the connection. */
import type {
  AttachMessage,
  ServerMessage,
  StartMessage,
  StreamChangeMessage,
} from '../../schemas/stream.ts'
import { SteerError, fail } from '../errors.ts'
import type { Caller } from '../services/keys.ts'
import type { GenerationRequest, Generator } from '../services/generator.ts'
import type { ResumableStreams } from '../services/streams/resumable-streams.ts'
import { SteerableStream } from '../services/streams/steerable-stream.ts'
import type { NumberedEvent, StreamSink } from '../services/streams/stream-events.ts'
import { toUsage } from './chat-serializer.ts'
import { socketGeneration } from './generation-input.ts'

/** Replies that one socket may have under way. */
const maxStreams = 32
/** Finished replies that can still be taken up again. */
const maxFinished = 32

export type ReplyMessage = StartMessage | StreamChangeMessage | AttachMessage

/** What a stream needs to be taken over by another socket: the message as changed since. */
interface Kept {
  message: StartMessage
  /** Tells the socket that it has lost the stream. */
  lose(): void
}
export type KeptStreams = ResumableStreams<Kept>

interface Open {
  readonly stream: SteerableStream
  readonly kept: Kept
  readonly sink: StreamSink
  /** Of a resumable one. */
  token: string | null
}

export interface ReplySocketOptions {
  generator: Generator
  resumable: KeptStreams
  /** Who sits at the other end: what they may do is asked for each message that asks for new text. */
  caller: { admit(): Promise<void>; readonly key: Caller | null; readonly address: string }
  send(message: ServerMessage): void
  sendError(id: string, error: unknown, more: { seq?: number; about?: string }): void
  /** Undefined while the client keeps up. */
  ready(): Promise<void> | undefined
}

export interface ReplySocket {
  /** Resolves when the message is dealt with; a change that fails is answered here. */
  receive(message: ReplyMessage): Promise<void>
  /** Cancels the replies but those that can be resumed. */
  close(): void
}

export function createReplySocket(options: ReplySocketOptions): ReplySocket {
  const { generator, resumable, caller, send, sendError } = options
  const streams = new Map<string, Open>()

  const generationOf = (message: StartMessage): GenerationRequest => ({
    ...socketGeneration(message),
    caller: caller.key,
    address: caller.address,
  })

  const sinkOf = (id: string, tokenOf: () => string | null): StreamSink => ({
    ready: options.ready,
    send({ seq, event }) {
      if (event.type === 'failed') return sendError(id, event.error, { seq })
      send(toMessage(id, { seq, event }, tokenOf()))
    },
  })

  /** Whether there is room for a stream under this id. */
  const reserve = (id: string): void => {
    if (streams.get(id)?.stream.isOver === false) {
      fail('BAD_REQUEST', `id: "${id}" is still under way`, { param: 'id' })
    }
    const running = [...streams.values()].filter(({ stream }) => !stream.isOver)
    if (running.length >= maxStreams) fail('QUEUE_FULL', `${maxStreams} on this socket`)
  }

  const forget = (id: string): void => {
    const open = streams.get(id)
    if (open?.token) resumable.remove(open.token)
    streams.delete(id)
  }

  const forgetOldest = (): void => {
    const over = [...streams].filter(([, { stream }]) => stream.isOver).map(([id]) => id)
    for (const id of over.slice(0, -maxFinished)) forget(id)
  }

  const start = async (message: StartMessage): Promise<void> => {
    const { id } = message
    reserve(id)
    const isResumable = message.resumable === true
    const stream = new SteerableStream({ generator, request: generationOf(message), resumable: isResumable }) // prettier-ignore
    const kept: Kept = { message, lose: () => {} }
    const open: Open = { stream, kept, token: null, sink: sinkOf(id, () => open.token) }
    forget(id)
    hold(id, open)
    stream.attach(open.sink)
    try {
      await caller.admit()
    } catch (error) {
      stream.detach(open.sink)
      stream.cancel()
      if (streams.get(id) === open) streams.delete(id)
      throw error
    }
    if (isResumable && streams.get(id) === open && !stream.isOver) {
      open.token = resumable.add(stream, ownerOf(caller.key), kept)
    }
    // The key is known now.
    stream.start(generationOf(message))
  }

  const hold = (id: string, open: Open): void => {
    streams.set(id, open)
    open.stream.onOver(forgetOldest)
    open.kept.lose = () => {
      streams.delete(id)
      send({ type: 'detached', id })
    }
  }

  const attach = async ({ id, stream: token, after }: AttachMessage): Promise<void> => {
    reserve(id)
    await caller.admit()
    reserve(id)
    const { stream, kept } = resumable.take(token, ownerOf(caller.key))
    const open: Open = { stream, kept, token, sink: sinkOf(id, () => token) }
    // Fails before anybody loses anything.
    stream.check(after ?? -2)
    kept.lose()
    forget(id)
    hold(id, open)
    send({ type: 'attached', id })
    stream.attach(open.sink, after ?? -2)
  }

  const change = async (message: StreamChangeMessage, { stream, kept }: Open): Promise<void> => {
    if (message.type === 'pause') return stream.pause()
    if (message.type === 'resume') return stream.resume()
    if (message.type === 'cancel') return stream.cancel()
    if (message.type !== 'steer') await caller.admit()
    let changed = kept.message
    const request = (): GenerationRequest => {
      changed = changedMessage(kept.message, message)
      return generationOf(changed)
    }
    if (message.type === 'steer') await stream.steer(request)
    else {
      const seed = message.seed ?? undefined
      if (message.type === 'edit') await stream.edit(request, { text: message.text, seed })
      else await stream.regenerate(request, { at: message.at ?? 0, seed })
    }
    kept.message = changed
  }

  return {
    async receive(message) {
      const { id } = message
      if (message.type === 'start') return start(message)
      if (message.type === 'attach') return attach(message)
      const open = streams.get(id)
      const needsRunning = message.type !== 'regenerate' && message.type !== 'edit'
      if (!open || (needsRunning && open.stream.isOver)) {
        return fail('NOT_FOUND', `no stream "${id}" is under way`, { param: 'id' })
      }
      try {
        await change(message, open)
      } catch (error) {
        const isCancelled = error instanceof SteerError && error.code === 'CANCELLED'
        if (!(isCancelled && open.stream.isOver)) sendError(id, error, { about: message.type })
      }
    },
    close() {
      for (const { stream, token, sink } of streams.values()) {
        if (!stream.detach(sink)) continue
        if (token === null) stream.cancel()
        else resumable.release(token)
      }
      streams.clear()
    },
  }
}

const ownerOf = (key: Caller | null): string | null => key?.id ?? null

/** The start message as if it had been sent with the change. */
function changedMessage(
  message: StartMessage,
  change: Extract<StreamChangeMessage, { type: 'steer' | 'regenerate' | 'edit' }>,
): StartMessage {
  const { attributes, steering } = change
  return {
    ...message,
    ...(attributes && { attributes: { ...message.attributes, ...attributes } }),
    ...(steering && { steering }),
    ...('max_tokens' in change && change.max_tokens != null && { max_tokens: change.max_tokens }),
  }
}

function toMessage(id: string, { seq, event }: NumberedEvent, token: string | null): ServerMessage {
  switch (event.type) {
    case 'started': {
      const { requested, warnings } = event
      const ofRisk = warnings && { warnings: [...warnings] }
      return { type: 'started', id, requested, ...ofRisk, ...(token && { stream: token }) }
    }
    case 'delta':
      return { type: 'delta', id, seq, text: event.text }
    case 'continued':
      return { type: 'continued', id, seq, by: event.by, at: event.at, requested: event.requested }
    case 'paused':
    case 'resumed':
      return { type: event.type, id, seq }
    case 'done': {
      const { finishReason: finish_reason, requested, achieved, steering } = event
      const usage = event.usage && toUsage(event.usage)
      const report = steering && { steering }
      return { type: 'done', id, seq, finish_reason, usage, requested, achieved, ...report }
    }
    case 'failed':
      throw event.error
  }
}
