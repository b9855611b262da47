/**
 * Streams that outlive their connection for a while, each by a token that only its client was told. A stream nobody came
 * back for is cancelled.
 */
import { randomUUID } from 'node:crypto'
import { fail } from '../../errors.ts'
import type { SteerableStream } from './steerable-stream.ts'

export interface ResumableStreams<Kept> {
  /** The token that `take` asks for. `owner`: the API key's id, null without keys. */
  add(stream: SteerableStream, owner: string | null, kept: Kept): string
  /** Whose connection broke: waits for `take` from now on. */
  release(token: string): void
  /** Fails NOT_FOUND when there is none, it is too late, or it belongs to another key: the same, so that nothing can be guessed. */
  take(token: string, owner: string | null): { stream: SteerableStream; kept: Kept }
  /** Forgets a stream that nobody will ask for. */
  remove(token: string): void
  /** Cancels all. */
  close(): void
}

interface Entry<Kept> {
  stream: SteerableStream
  owner: string | null
  kept: Kept
  timer: NodeJS.Timeout | null
}

/** Streams without a connection, of one owner; the oldest goes first. */
const maxReleased = 64

export function createResumableStreams<Kept>(keepMs: number): ResumableStreams<Kept> {
  const entries = new Map<string, Entry<Kept>>()

  const drop = (token: string): void => {
    const entry = entries.get(token)
    if (!entry) return
    entries.delete(token)
    if (entry.timer) clearTimeout(entry.timer)
    entry.stream.cancel()
  }

  return {
    add(stream, owner, kept) {
      const token = randomUUID()
      entries.set(token, { stream, owner, kept, timer: null })
      return token
    },
    release(token) {
      const entry = entries.get(token)
      if (!entry) return
      if (entry.timer) clearTimeout(entry.timer)
      entry.timer = setTimeout(() => drop(token), keepMs)
      entry.timer.unref()
      // The last to be released stand last.
      entries.delete(token)
      entries.set(token, entry)
      const released = [...entries].filter(([, one]) => one.timer && one.owner === entry.owner)
      for (const [oldest] of released.slice(0, -maxReleased)) drop(oldest)
    },
    take(token, owner) {
      const entry = entries.get(token)
      if (!entry || entry.owner !== owner) {
        return fail('NOT_FOUND', 'stream: there is no such stream to go on with', { param: 'stream' }) // prettier-ignore
      }
      if (entry.timer) clearTimeout(entry.timer)
      entry.timer = null
      return entry
    },
    remove(token) {
      const entry = entries.get(token)
      if (entry?.timer) clearTimeout(entry.timer)
      entries.delete(token)
    },
    close() {
      for (const token of [...entries.keys()]) drop(token)
    },
  }
}
