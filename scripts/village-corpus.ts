/**
 * Writes the parts of the village corpus as NDJSON:
 *   node scripts/village-corpus.ts --out DIR [--seed 1] [--rated 6000] [--unrated 60000]
 *     [--heldout-rated 2000] [--heldout-prompts 500]
 */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import type { ConversationRecord } from '../schemas/records.ts'
import { generateVillage, noiseCeiling } from '../src/datasets/village/index.ts'
import { fail } from '../src/errors.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    seed: { type: 'string', default: '1' },
    rated: { type: 'string', default: '6000' },
    unrated: { type: 'string', default: '60000' },
    'heldout-rated': { type: 'string', default: '2000' },
    'heldout-prompts': { type: 'string', default: '500' },
  },
})

function count(name: 'seed' | 'rated' | 'unrated' | 'heldout-rated' | 'heldout-prompts'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= 0) return value
  return fail('BAD_ARGUMENT', `--${name}: expected a whole number, got "${values[name]}"`)
}

function* lines(records: Iterable<ConversationRecord>): Generator<string> {
  for (const record of records) yield `${JSON.stringify(record)}\n`
}

const out = values.out ?? fail('BAD_ARGUMENT', '--out: expected a folder')
const village = generateVillage({
  seed: count('seed'),
  rated: count('rated'),
  unrated: count('unrated'),
  heldoutRated: count('heldout-rated'),
  heldoutPrompts: count('heldout-prompts'),
})
const parts = {
  rated: village.rated,
  unrated: village.unrated,
  'heldout-rated': village.heldoutRated,
  'heldout-prompts': village.heldoutPrompts,
}
await mkdir(out, { recursive: true })
for (const [name, records] of Object.entries(parts)) {
  const path = join(out, `${name}.ndjson`)
  await pipeline(Readable.from(lines(records)), createWriteStream(path))
  console.log(path)
}
console.log('noise ceiling (Pearson of truth and raters):', noiseCeiling(village.heldoutRated))
