/** Marks unfinished files with the process that writes them, so that what a killed process left can be removed. */
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'

const host =
  hostname()
    .replaceAll(/[^a-zA-Z0-9]/g, '')
    .slice(0, 40) || 'host'
const tagPattern = /([a-zA-Z0-9]+)-(\d+)-[0-9a-f]{8}/
const oldMs = 24 * 60 * 60 * 1000

/** A name part that no other process and no other call has. */
export const ownTag = (): string => `${host}-${process.pid}-${randomUUID().slice(0, 8)}`

/**
 * Whether the process of the tag in `text` has ended. What another machine (or container) wrote counts as left behind
 * a day after the last change of `path`.
 */
export async function isLeftBehind(text: string, path: string): Promise<boolean> {
  const [, onHost, pid] = tagPattern.exec(text) ?? []
  if (onHost === host) return !isAlive(Number(pid))
  const { mtimeMs } = await stat(path)
  return Date.now() - mtimeMs > oldMs
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
