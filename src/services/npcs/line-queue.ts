/** One line at a time per character, in the order of asking. */
import { SteerError, fail } from '../../errors.ts'

/** Lines that may wait for a character. */
const maxWaiting = 16

export interface LineQueue {
  /**
   * Resolves when it is the caller's turn; the function it gives ends the turn. Fails QUEUE_FULL at once, CANCELLED
   * when the signal aborts before the turn comes.
   */
  enter(id: string, signal?: AbortSignal): Promise<() => void>
}

export function createLineQueue(): LineQueue {
  const queues = new Map<string, (() => void)[]>()

  const leave = (id: string): void => {
    const waiting = queues.get(id)!
    const next = waiting.shift()
    if (next) next()
    else queues.delete(id)
  }
  const turn = (id: string): (() => void) => {
    let isOver = false
    return () => {
      if (!isOver) leave(id)
      isOver = true
    }
  }

  return {
    async enter(id, signal) {
      if (signal?.aborted) fail('CANCELLED', 'by the client')
      const waiting = queues.get(id)
      if (!waiting) {
        queues.set(id, [])
        return turn(id)
      }
      if (waiting.length >= maxWaiting) fail('QUEUE_FULL', `${maxWaiting} lines of "${id}" wait`)
      const gate = Promise.withResolvers<void>()
      waiting.push(gate.resolve)
      const onAbort = (): void => {
        const place = waiting.indexOf(gate.resolve)
        if (place < 0) return // the turn has come
        waiting.splice(place, 1)
        gate.reject(new SteerError('CANCELLED', 'by the client'))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      await gate.promise.finally(() => signal?.removeEventListener('abort', onAbort))
      return turn(id)
    },
  }
}
