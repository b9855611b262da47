/**
 * A lock between processes that the operating system releases when its holder dies, however it dies: an exclusive
 * lock on a small SQLite file. No stale lock can stay behind. Readable names beside the guarded thing are the caller's.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ExclusiveLock {
  release(): void
}

const SQLITE_BUSY = 5

/** The lock, or null when somebody else holds it. */
export async function tryLock(path: string): Promise<ExclusiveLock | null> {
  await mkdir(dirname(path), { recursive: true })
  const file = new DatabaseSync(path, { timeout: 0 })
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    return { release: () => file.close() }
  } catch (error) {
    file.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null
    throw error
  }
}

/** Waits for the lock, at most `waitMs`; null when it was held all the time. */
export async function waitForLock(path: string, waitMs: number): Promise<ExclusiveLock | null> {
  const until = performance.now() + waitMs
  for (;;) {
    const lock = await tryLock(path)
    if (lock || performance.now() >= until) return lock
    await sleep(100)
  }
}
