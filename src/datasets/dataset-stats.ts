/**
 * Statistics of conversations: per attribute count, mean, spread, levels and gaps; how attributes go together;
 * lengths. One pass; memory grows with the number of attributes, levels and different lengths, not with the rows.
 */
import type { ConversationRecord } from '../../schemas/records.ts'
import { roundHalfEven } from '../labels/round-half-even.ts'

export interface AttributeStats {
  /** Assistant turns with a value. */
  count: number
  /** Assistant turns without one. */
  missing: number
  mean: number
  /** Of the population. */
  sd: number
  /** Turns per rounded level, by level; of the first 1,000 levels that came. */
  histogram: Record<number, number>
  /** Turns at further levels. */
  otherLevels: number
}

export interface LengthStats {
  min: number
  mean: number
  median: number
  p95: number
  max: number
}

export interface DatasetStats {
  conversations: number
  assistantTurns: number
  /** Assistant turns with at least one value. */
  ratedTurns: number
  attributes: Record<string, AttributeStats>
  /** Pearson correlation of two attributes over the turns that have both; null where it is undefined. */
  correlations: Record<string, Record<string, number | null>>
  /** UTF-16 code units of the replies; messages per conversation. null for an empty set. */
  replyCharacters: LengthStats | null
  messagesPerConversation: LengthStats | null
}

const maxLevels = 1000

/** Counts conversations as they stream by; `result` may be read at any time. */
export interface StatsCollector {
  add(record: ConversationRecord): void
  result(): DatasetStats
}

export function createStatsCollector(): StatsCollector {
  const columns = new Map<string, Column>()
  const pairs = new Map<string, Sums>()
  const replyLengths = createLengthCounter()
  const messageCounts = createLengthCounter()
  let ratedTurns = 0

  const addValues = (values: [string, number][]): void => {
    if (values.length > 0) ratedTurns += 1
    for (const [name, value] of values) {
      const column = getOrAdd(columns, name, newColumn)
      addPair(column.sums, value, value)
      countLevel(column, roundHalfEven(value))
      for (const [other, otherValue] of values) {
        if (name < other) addPair(getOrAdd(pairs, `${name},${other}`, newSums), value, otherValue)
      }
    }
  }

  return {
    add(record) {
      messageCounts.add(record.messages.length)
      for (const message of record.messages) {
        if (message.role !== 'assistant') continue
        replyLengths.add(message.content.length)
        addValues(Object.entries(message.attributes ?? {}))
      }
    },
    result() {
      const names = [...columns.keys()].sort()
      const attributes = names.map((name) => {
        const { sums, histogram, otherLevels } = columns.get(name)!
        const missing = replyLengths.count() - sums.n
        const spread = { mean: sums.meanX, sd: Math.sqrt(sums.xx / sums.n) }
        const levels = { histogram: Object.fromEntries(histogram), otherLevels }
        return [name, { count: sums.n, missing, ...spread, ...levels }]
      })
      const correlate = (a: string, b: string): number | null =>
        pearson(a === b ? columns.get(a)!.sums : pairs.get(a < b ? `${a},${b}` : `${b},${a}`))
      return {
        conversations: messageCounts.count(),
        assistantTurns: replyLengths.count(),
        ratedTurns,
        attributes: Object.fromEntries(attributes),
        correlations: Object.fromEntries(
          names.map((a) => [a, Object.fromEntries(names.map((b) => [b, correlate(a, b)]))]),
        ),
        replyCharacters: replyLengths.result(),
        messagesPerConversation: messageCounts.result(),
      }
    },
  }
}

/** The statistics of a whole stream of conversations. */
export async function datasetStats(
  records: Iterable<ConversationRecord> | AsyncIterable<ConversationRecord>,
): Promise<DatasetStats> {
  const collector = createStatsCollector()
  for await (const record of records) collector.add(record)
  return collector.result()
}

/** Welford's running means and centred sums of two columns; exact enough for millions of rows. */
interface Sums {
  n: number
  meanX: number
  meanY: number
  xx: number
  yy: number
  xy: number
}

interface Column {
  sums: Sums
  histogram: Map<number, number>
  otherLevels: number
}

const newColumn = (): Column => ({ sums: newSums(), histogram: new Map(), otherLevels: 0 })
const newSums = (): Sums => ({ n: 0, meanX: 0, meanY: 0, xx: 0, yy: 0, xy: 0 })

function addPair(sums: Sums, x: number, y: number): void {
  sums.n += 1
  const dx = x - sums.meanX
  const dy = y - sums.meanY
  sums.meanX += dx / sums.n
  sums.meanY += dy / sums.n
  sums.xx += dx * (x - sums.meanX)
  sums.yy += dy * (y - sums.meanY)
  sums.xy += dx * (y - sums.meanY)
}

function pearson(sums: Sums | undefined): number | null {
  if (!sums || sums.xx === 0 || sums.yy === 0) return null
  return Math.max(-1, Math.min(1, sums.xy / Math.sqrt(sums.xx * sums.yy)))
}

function countLevel(column: Column, level: number): void {
  const { histogram } = column
  const before = histogram.get(level)
  if (before === undefined && histogram.size >= maxLevels) column.otherLevels += 1
  else histogram.set(level, (before ?? 0) + 1)
}

/** Lengths as a table of how often each came: n different ones take at least n²/2 characters of text. */
function createLengthCounter() {
  const times = new Map<number, number>()
  let count = 0
  let sum = 0
  return {
    add(length: number): void {
      times.set(length, (times.get(length) ?? 0) + 1)
      count += 1
      sum += length
    },
    count: () => count,
    result(): LengthStats | null {
      if (count === 0) return null
      const sorted = [...times].sort(([a], [b]) => a - b)
      const at = (share: number): number => nth(sorted, Math.round(share * (count - 1)))
      return { min: at(0), mean: sum / count, median: at(0.5), p95: at(0.95), max: at(1) }
    },
  }
}

/** The value at an index of a sorted list that is given as values with their times. */
function nth(sorted: readonly (readonly [value: number, times: number])[], index: number): number {
  let passed = 0
  for (const [value, times] of sorted) {
    passed += times
    if (index < passed) return value
  }
  return sorted.at(-1)![0]
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
