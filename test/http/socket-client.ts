/** A client of `/v1/stream` for tests: the messages as they came, and what they say together. */
import type { Test } from 'tap'
import type { WebSocket } from 'ws'
import { ServerMessage } from '../../schemas/stream.ts'

export interface TestSocket {
  socket: WebSocket
  inbox: ServerMessage[]
  send(message: object | string): void
  /** The first message of this kind that fits, now or later. */
  first<T extends ServerMessage['type']>(
    type: T,
    fits?: (message: Extract<ServerMessage, { type: T }>) => boolean,
  ): Promise<Extract<ServerMessage, { type: T }>>
  /** Resolves when the stream's text is at least so long. */
  textOf(id: string, atLeast: number): Promise<string>
  closed: Promise<{ code: number; reason: string }>
}

/** The text of a stream as a client shows it. */
export function shownText(messages: readonly ServerMessage[], id: string): string {
  let text = ''
  for (const message of messages) {
    if (!('id' in message) || message.id !== id) continue
    if (message.type === 'delta') text += message.text
    else if (message.type === 'continued') text = text.slice(0, message.at)
  }
  return text
}

export function watchSocket(t: Test, socket: WebSocket): TestSocket {
  t.teardown(() => socket.terminate())
  const inbox: ServerMessage[] = []
  const listeners = new Set<() => void>()
  socket.on('message', (data: Buffer) => {
    inbox.push(ServerMessage.parse(JSON.parse(data.toString())))
    for (const listener of [...listeners]) listener()
  })
  socket.on('error', () => {})
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )
  const until = async <T>(look: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          listeners.delete(listener)
          resolve()
        }
        listeners.add(listener)
      })
    }
  }
  return {
    socket,
    inbox,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    first: (type, fits = () => true) =>
      until(() => {
        const found = inbox.find((item) => item.type === type && fits(item as never))
        return found as never
      }),
    textOf: (id, atLeast) =>
      until(() => {
        const text = shownText(inbox, id)
        return text.length >= atLeast ? text : undefined
      }),
  }
}
