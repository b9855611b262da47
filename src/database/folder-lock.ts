/**
 * One process at a time in a folder. PGlite has no lock of its own: two processes in one folder lose each other's rows.
 * SQLite locks a file through the kernel, which frees it when the process ends in any way, so no lock is ever stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fail } from '../errors.ts'

const sqliteBusy = 5

/** Gives what unlocks again. Fails DATABASE_LOCKED, naming the process that holds the folder. */
export function lockFolder(dir: string): () => void {
  const lock = new DatabaseSync(join(dir, 'lock'), { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error
    fail('DATABASE_LOCKED', `${dir} is open in ${ownerOf(dir)}; stop it, or use its HTTP API`)
  }
  writeFileSync(join(dir, 'owner'), `${process.pid}\n`)
  return () => lock.close()
}

function ownerOf(dir: string): string {
  try {
    return `process ${Number.parseInt(readFileSync(join(dir, 'owner'), 'utf8'), 10)}`
  } catch {
    return 'another process'
  }
}
