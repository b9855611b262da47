/** Data sets over HTTP: `/v1/datasets`. Times are whole seconds since 1970. */
import { z } from 'zod'
import { DatasetKind } from './records.ts'

/** The name of a data set is the name of its folder. */
export const DatasetName = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9._-]*$/i, {
    error: 'expected letters, digits, . _ -, beginning with a letter or digit',
  })

export const DatasetFormat = z.enum([
  'records',
  'preferences',
  'tokens',
  'chat',
  'columns',
  'helpsteer',
  'helpsteer2-preference',
  'helpsteer3',
  'oasst',
  'oasst-replies',
  'ultrafeedback',
  'hh-rlhf',
  'pairs',
  'nemo',
  'nemo-regression',
])

export const Dataset = z.strictObject({
  object: z.literal('dataset'),
  name: z.string(),
  /** Conversations, replies in order of preference, or rows of token ids. */
  kind: DatasetKind,
  rows: z.int(),
  /** Of the stored rows, hex. */
  sha256: z.string(),
  /** Of the stored rows. */
  bytes: z.int(),
  /** Rows of the upload that were not valid. */
  quarantined: z.int(),
  /** Per attribute: rated replies, their mean and standard deviation (of the population). */
  attributes: z.record(
    z.string(),
    z.strictObject({ count: z.int(), mean: z.number(), sd: z.number() }),
  ),
  /** Where the rows came from: file, format and hash of an upload; models and settings of a job. */
  source: z.record(z.string(), z.unknown()),
  created_at: z.int(),
})
export type Dataset = z.infer<typeof Dataset>

export const DatasetList = z.strictObject({
  object: z.literal('list'),
  data: z.array(Dataset),
  has_more: z.literal(false),
})
export type DatasetList = z.infer<typeof DatasetList>

/** A page of rows. It may hold fewer than `limit` when they are long. */
export const DatasetRows = z.strictObject({
  object: z.literal('list'),
  data: z.array(z.record(z.string(), z.unknown())),
  offset: z.int(),
  /** Rows in all. */
  total: z.int(),
  has_more: z.boolean(),
})
export type DatasetRows = z.infer<typeof DatasetRows>

export const QuarantineRow = z.strictObject({
  /** Where the set was made from several files. */
  file: z.string().optional(),
  /** Of the upload, 1-based; in Parquet files and JSON arrays the number of the row. */
  line: z.int(),
  reason: z.string(),
  /** The line's text, cut to 2,000 characters. */
  raw: z.string(),
})
export type QuarantineRow = z.infer<typeof QuarantineRow>

/** A page of the rows that were not valid; the first 100,000 of them are kept. */
export const QuarantineRows = z.strictObject({
  object: z.literal('list'),
  data: z.array(QuarantineRow),
  offset: z.int(),
  /** Rows that were not valid in all, kept or not. */
  total: z.int(),
  has_more: z.boolean(),
})
export type QuarantineRows = z.infer<typeof QuarantineRows>

const Lengths = z.strictObject({
  min: z.number(),
  mean: z.number(),
  median: z.number(),
  p95: z.number(),
  max: z.number(),
})

export const DatasetStatistics = z.strictObject({
  object: z.literal('dataset.stats'),
  name: z.string(),
  /** Of the rows that were counted. */
  sha256: z.string(),
  conversations: z.int(),
  assistant_turns: z.int(),
  /** Assistant turns with at least one value. */
  rated_turns: z.int(),
  attributes: z.record(
    z.string(),
    z.strictObject({
      /** Assistant turns with a value, and without one. */
      count: z.int(),
      missing: z.int(),
      mean: z.number(),
      /** Standard deviation of the population. */
      sd: z.number(),
      /** Turns by level; fractions are rounded half to even. */
      histogram: z.record(z.string(), z.int()),
      /** Turns beyond the first 1,000 different levels. */
      other_levels: z.int(),
    }),
  ),
  /** Pearson's, over the turns that have both values; null where it is undefined. */
  correlations: z.record(z.string(), z.record(z.string(), z.number().nullable())),
  /** UTF-16 code units of the replies. */
  reply_characters: Lengths.nullable(),
  messages_per_conversation: Lengths.nullable(),
})
export type DatasetStatistics = z.infer<typeof DatasetStatistics>

export const DatasetDeleted = z.strictObject({
  object: z.literal('dataset'),
  name: z.string(),
  deleted: z.literal(true),
})
export type DatasetDeleted = z.infer<typeof DatasetDeleted>

/** What to do with an upload: from the query, or from the form's fields before its file. */
export const DatasetUpload = z.strictObject({
  name: DatasetName,
  format: DatasetFormat.default('records'),
  /** Unless the file's name or content say it. */
  file_type: z.enum(['jsonl', 'json', 'csv', 'tsv', 'parquet']).optional(),
  /** `prompt=question,response=answer,humor=funny`; the format `columns` needs it. */
  map: z.string().min(1).max(10_000).optional(),
  /** `lang=en,split=train`; other rows are left out. */
  where: z.string().min(1).max(10_000).optional(),
  /** A built-in attribute set: rows with other names, or values out of its ranges, are set aside. */
  attributes: z.string().max(100).optional(),
  overwrite: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true'),
})
export type DatasetUpload = z.output<typeof DatasetUpload>

export const PageQuery = z.strictObject({
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(20),
})

export const DownloadQuery = z.strictObject({
  format: z.enum(['records', 'nemo']).default('records'),
})
