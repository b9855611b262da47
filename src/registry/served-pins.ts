/**
 * Models that the server was asked to serve beside those that it serves anyway: names, kept in the data folder, so that
 * they come back after a restart and every server of the folder has them.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import { appendChange, countChanges, readChanges } from './change-log.ts'
import { registryDir } from './registry-store.ts'

const PinChange = z.strictObject({
  type: z.enum(['serve', 'unload']),
  name: z.string(),
  at: z.string(),
})

/** Number of the change that asked for it: asking again loads the model again. */
export type ServedPins = ReadonlyMap<string, number>

/** A model's name does not begin with a dot. */
const pinsDir = (home: string): string => join(registryDir(home), '.served')

export const countPinChanges = (home: string): Promise<number> => countChanges(pinsDir(home))

export async function readPins(home: string): Promise<ServedPins> {
  return foldPins(await readChanges(pinsDir(home)), pinsDir(home))
}

export async function pin(home: string, name: string): Promise<void> {
  await change(home, () => ({ type: 'serve', name }))
}

/** False when it was not pinned. */
export async function unpin(home: string, name: string): Promise<boolean> {
  return change(home, (pins) => (pins.has(name) ? { type: 'unload', name } : null))
}

async function change(
  home: string,
  decide: (pins: ServedPins) => { type: 'serve' | 'unload'; name: string } | null,
): Promise<boolean> {
  const dir = pinsDir(home)
  for (;;) {
    const entries = await readChanges(dir)
    const decided = decide(foldPins(entries, dir))
    if (!decided) return false
    const entry = { ...decided, at: new Date().toISOString() }
    if (await appendChange(dir, entries.length + 1, entry)) return true
  }
}

function foldPins(entries: readonly unknown[], where: string): ServedPins {
  const pins = new Map<string, number>()
  entries.forEach((entry, i) => {
    const parsed = PinChange.safeParse(entry)
    if (!parsed.success) fail('BAD_FILE', `${where}, change ${i + 1}: ${parsed.error.message}`)
    if (parsed.data.type === 'serve') pins.set(parsed.data.name, i + 1)
    else pins.delete(parsed.data.name)
  })
  return pins
}
