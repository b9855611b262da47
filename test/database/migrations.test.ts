import { readFile } from 'node:fs/promises'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import t from 'tap'
import { schema } from '../../src/database/index.ts'

const migrations = new URL('../../src/database/migrations/', import.meta.url)

t.test('the migrations give the tables of the schema (npm run migrations)', async (t) => {
  const journal = JSON.parse(await readFile(new URL('meta/_journal.json', migrations), 'utf8')) as {
    entries: { idx: number; tag: string; when: number }[]
  }
  const last = journal.entries.at(-1)!
  const number = String(last.idx).padStart(4, '0')
  const snapshot = JSON.parse(
    await readFile(new URL(`meta/${number}_snapshot.json`, migrations), 'utf8'),
  ) as Parameters<typeof generateMigration>[0]
  t.same(await generateMigration(snapshot, generateDrizzleJson(schema, snapshot.id)), [])
  // The migrator goes by time: an older one after a newer one would never run.
  const times = journal.entries.map(({ when }) => when)
  t.same(
    times,
    times.toSorted((a, b) => a - b),
  )
})
