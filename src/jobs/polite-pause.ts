/** Lets a job wait between its steps while the server is writing replies; bounded, so that it never stops for good. */
import { setTimeout as sleepFor } from 'node:timers/promises'

/** While the server is busy, a job works at least this share of the time. */
export const busyShare = 0.2
/** The longest single pause. */
export const maxPauseMs = 5_000

export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

const sleepUntil: Sleep = (ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => undefined)

export interface PolitePause {
  setBusy(busy: boolean): void
  /** Waits four times as long as was worked, or until the server is no longer busy. */
  pause(workedMs: number): Promise<void>
}

export function createPolitePause(sleep: Sleep = sleepUntil): PolitePause {
  let calm = new AbortController()
  let isBusy = false
  return {
    setBusy(busy) {
      if (isBusy === busy) return
      isBusy = busy
      if (busy) calm = new AbortController()
      else calm.abort()
    },
    async pause(workedMs) {
      if (isBusy) await sleep(Math.min(maxPauseMs, workedMs * (1 / busyShare - 1)), calm.signal)
    },
  }
}
