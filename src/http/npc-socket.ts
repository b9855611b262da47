/** The messages about characters on the WebSocket; `stream-socket.ts` owns the connection. */
import type { NpcClientMessage, NpcServerMessage } from '../../schemas/npcs.ts'
import { SteerError, fail } from '../errors.ts'
import type { Caller } from '../services/keys.ts'
import type { Npcs } from '../services/npcs/npcs.ts'
import { toEvent, toSayRequest } from './npc-input.ts'
import { lineFields, startFields } from './npc-serializer.ts'

/** Lines that one socket may have under way or waiting. */
const maxLines = 32
/** Finished lines that can still be interrupted by their id. */
const maxFinished = 64

interface OpenLine {
  npc: string
  /** Known once the line has begun. */
  exchange: number | null
  abort: AbortController
  isDone: boolean
  /** The interruption that came before the line began: it never will. */
  isCut: boolean
}

export interface NpcSocket {
  /** Resolves when the message is dealt with. */
  receive(message: NpcClientMessage): Promise<void>
  /** Stops the lines under way; what was sent of them counts as heard. */
  close(): void
}

/** Who sits at the other end: what they may do is asked for each message that asks for work. */
export interface NpcSocketCaller {
  admit(): Promise<void>
  readonly key: Caller | null
}

export function createNpcSocket(
  npcs: Npcs,
  caller: NpcSocketCaller,
  send: (message: NpcServerMessage) => void,
): NpcSocket {
  const lines = new Map<string, OpenLine>()

  const say = async (message: Extract<NpcClientMessage, { type: 'npc_say' }>): Promise<void> => {
    const { id, npc } = message
    const open = [...lines.values()].filter((line) => !line.isDone).length
    if (lines.get(id)?.isDone === false) {
      fail('BAD_REQUEST', `id: "${id}" is still under way`, { param: 'id' })
    }
    if (open >= maxLines) fail('QUEUE_FULL', `${maxLines} lines on this socket`)
    const line: OpenLine = { npc, exchange: null, abort: new AbortController(), isDone: false, isCut: false } // prettier-ignore
    lines.delete(id)
    lines.set(id, line)
    try {
      await write(message, line)
      line.isDone = true
      forgetOldest()
    } catch (error) {
      lines.delete(id)
      const isCancel = error instanceof SteerError && error.code === 'CANCELLED'
      if (!(isCancel && line.abort.signal.aborted && !line.isCut)) throw error
    }
  }

  const write = async (
    message: Extract<NpcClientMessage, { type: 'npc_say' }>,
    line: OpenLine,
  ): Promise<void> => {
    const { id, npc } = message
    let seq = 0
    await caller.admit()
    const request = toSayRequest(message, caller.key)
    for await (const event of npcs.say(npc, request, line.abort.signal)) {
      if (event.type === 'start') {
        line.exchange = event.exchange
        send({ type: 'npc_started', id, npc, ...startFields(event) })
      } else if (event.type === 'delta') {
        send({ type: 'npc_delta', id, seq: seq++, text: event.text })
      } else {
        line.exchange = event.exchange
        send({ type: 'npc_done', id, npc, ...lineFields(event) })
      }
    }
  }

  const interrupt = async (
    message: Extract<NpcClientMessage, { type: 'npc_interrupt' }>,
  ): Promise<void> => {
    const { id } = message
    const line = lines.get(id)
    if (!line) return fail('NOT_FOUND', `no line "${id}" on this socket`, { param: 'id' })
    if (line.exchange === null) {
      line.isCut = true
      line.abort.abort()
      return
    }
    const wasDone = line.isDone
    const heard = message.heard ?? undefined
    const result = await npcs.interrupt(line.npc, { heard, exchange: line.exchange })
    // A line under way ends with its own `npc_done`.
    if (wasDone) send({ type: 'npc_done', id, npc: line.npc, ...lineFields(result) })
  }

  const forgetOldest = (): void => {
    const done = [...lines].filter(([, line]) => line.isDone).map(([id]) => id)
    for (const id of done.slice(0, -maxFinished)) lines.delete(id)
  }

  return {
    async receive(message) {
      if (message.type === 'npc_say') await say(message)
      else if (message.type === 'npc_interrupt') await interrupt(message)
      else {
        await caller.admit()
        const { event, time } = toEvent(message.event)
        send({
          type: 'npc_state',
          id: message.id,
          state: await npcs.event(message.npc, event, time),
        })
      }
    },
    close() {
      for (const line of lines.values()) if (!line.isDone) line.abort.abort()
    },
  }
}
