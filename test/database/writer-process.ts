/** Writes numbered rows, in transactions of several, and reports each commit: for tests that kill it. */
import { openDatabase, schema } from '../../src/database/index.ts'

const home = process.argv[2]!
const { usage } = schema
const keyId = '00000000-0000-4000-8000-000000000000'

function day(number: number): string {
  return new Date(Date.UTC(2000, 0, 1 + number)).toISOString().slice(0, 10)
}

async function write(): Promise<never> {
  const database = await openDatabase({ home })
  let count = await database.db.$count(usage)
  process.send!({ ready: count })
  for (;;) {
    const rows = Array.from({ length: 1 + (count % 7) }, (_, i) => {
      const number = count + i
      return { keyId, day: day(number), requests: number }
    })
    await database.transaction(async (tx) => {
      for (const row of rows) await tx.insert(usage).values(row)
    })
    count += rows.length
    process.send!({ committed: count })
  }
}

process.on('disconnect', () => process.exit())
await write().catch((error: { code?: string; message: string }) => {
  process.send!({ code: error.code, message: error.message }, () => process.exit(1))
})
