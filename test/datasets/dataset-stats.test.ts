import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import { datasetStats } from '../../src/datasets/dataset-stats.ts'

const reply = (content: string, attributes?: Record<string, number>): ConversationRecord => ({
  messages: [
    { role: 'user', content: '?' },
    { role: 'assistant', content, ...(attributes ? { attributes } : {}) },
  ],
})

t.test('counts, means, spreads, levels, gaps and correlations are those of the data', async (t) => {
  const stats = await datasetStats([
    reply('a', { x: 0, y: 4, z: 1 }),
    reply('bb', { x: 2, y: 2, z: 1 }),
    reply('cccc', { x: 4, y: 0 }),
    reply('dd', { x: 2.5 }),
    reply('e'),
  ])
  t.match(stats, { conversations: 5, assistantTurns: 5, ratedTurns: 4 })
  const { x, y } = stats.attributes
  t.match(x, { count: 4, missing: 1, mean: 2.125, histogram: { 0: 1, 2: 2, 4: 1 } })
  // Deviations −2.125, −0.125, 1.875, 0.375: mean square 2.046875.
  t.ok(Math.abs(x!.sd - Math.sqrt(2.046875)) < 1e-12)
  t.match(y, { count: 3, missing: 2, mean: 2 })
  t.ok(Math.abs(stats.correlations.x!.y! + 1) < 1e-12, 'over the rows that have both')
  t.equal(stats.correlations.y!.x, stats.correlations.x!.y)
  t.equal(stats.correlations.x!.x, 1)
  t.equal(stats.correlations.z!.x, null, 'a constant has no correlation')
  t.same(stats.replyCharacters, { min: 1, mean: 2, median: 2, p95: 4, max: 4 })
})

t.test('an empty set has statistics, too', async (t) => {
  t.match(await datasetStats([]), { conversations: 0, replyCharacters: null, attributes: {} })
})
