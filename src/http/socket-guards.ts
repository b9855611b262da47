/** What keeps one WebSocket from harming the server: heartbeats, a bound on what it does not read, a meter of messages. */
import type { WebSocket } from '@fastify/websocket'

/** Closes a socket whose other end shows no sign of life from one ping to the next. */
export function keepAlive(socket: WebSocket, heartbeatMs: number): void {
  let isAlive = true
  const live = (): void => {
    isAlive = true
  }
  for (const sign of ['pong', 'message', 'ping'] as const) socket.on(sign, live)
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate()
    isAlive = false
    socket.ping()
  }, heartbeatMs)
  timer.unref()
  socket.on('close', () => clearInterval(timer))
}

export interface SendQueue {
  send(text: string): void
  /** Undefined while the client keeps up; else resolves when it does again, or is gone. */
  ready(): Promise<void> | undefined
  close(): void
}

/** Answers that nobody reads: no client that means well gets there. */
const hopelessTimes = 32

/** A socket whose client leaves `hopelessTimes` of `maxBytes` unread is cut off. */
export function createSendQueue(socket: WebSocket, maxBytes: number): SendQueue {
  let waiting: PromiseWithResolvers<void> | null = null
  const release = (): void => {
    waiting?.resolve()
    waiting = null
  }
  const onSent = (): void => {
    if (socket.bufferedAmount <= maxBytes / 2) release()
  }
  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return
      if (socket.bufferedAmount > maxBytes * hopelessTimes) return socket.terminate()
      socket.send(text, onSent)
    },
    ready() {
      if (socket.readyState !== socket.OPEN || socket.bufferedAmount <= maxBytes) return undefined
      waiting ??= Promise.withResolvers()
      return waiting.promise
    },
    close: release,
  }
}

export type Verdict = 'pass' | 'first refused' | 'refused' | 'close'

/** A bucket of `perSecond` messages that fills evenly; whoever goes on ten buckets beyond is to be closed. */
export function createMessageMeter(
  perSecond: number,
  now: () => number = () => performance.now(),
): { count(): Verdict } {
  let level = perSecond
  let atMs = now()
  let refused = 0
  return {
    count() {
      const nowMs = now()
      level = Math.min(perSecond, level + ((nowMs - atMs) * perSecond) / 1000)
      atMs = nowMs
      if (level >= 1) {
        level -= 1
        // Half a bucket of good behaviour, and a refusal is worth telling again.
        if (level > perSecond / 2) refused = 0
        return 'pass'
      }
      refused += 1
      if (refused === 1) return 'first refused'
      return refused > 10 * perSecond ? 'close' : 'refused'
    },
  }
}
