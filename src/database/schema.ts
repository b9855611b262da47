/**
 * The tables, in the one dialect that PGlite and a PostgreSQL server share. After a change run `npm run migrations`;
 * a test fails when the migrations are stale.
 */
import {
  bigint,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'

/** Milliseconds, as JavaScript has them: a time that was read finds its row again. */
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
const createdAt = () => time('created_at').notNull().defaultNow()

/** Work that runs apart from requests, and what became of it. */
export const jobs = pgTable(
  'jobs',
  {
    id: uuid('id').primaryKey(),
    kind: text('kind').notNull(),
    name: text('name'),
    spec: jsonb('spec').$type<Record<string, unknown>>().notNull(),
    status: text('status').notNull(),
    priority: integer('priority').notNull().default(0),
    /** Jobs of one request share it. */
    pipelineId: uuid('pipeline_id'),
    /** Jobs that must have succeeded before this one starts. */
    after: uuid('after').array().notNull().default([]),
    attempts: integer('attempts').notNull().default(0),
    maxAttempts: integer('max_attempts').notNull().default(1),
    progress: jsonb('progress').$type<Record<string, unknown>>(),
    result: jsonb('result').$type<Record<string, unknown>>(),
    error: jsonb('error').$type<{ code: string; message: string }>(),
    cancelRequested: boolean('cancel_requested').notNull().default(false),
    keyId: uuid('key_id'),
    createdAt: createdAt(),
    startedAt: time('started_at'),
    finishedAt: time('finished_at'),
    heartbeatAt: time('heartbeat_at'),
  },
  (table) => [
    index('jobs_created').on(table.createdAt, table.id),
    index('jobs_status').on(table.status, table.createdAt),
    index('jobs_pipeline').on(table.pipelineId),
  ],
)

/** What a job reported, in order. */
export const jobEvents = pgTable(
  'job_events',
  {
    jobId: uuid('job_id')
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    type: text('type').notNull(),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.seq] })],
)

/** Keys of the API. The key itself is not stored; a revoked one keeps its row, for the usage that counts on it. */
export const apiKeys = pgTable('api_keys', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  /** The first characters of the key, to tell keys apart. */
  prefix: text('prefix').notNull(),
  /** SHA-256 of the key, lower-case hex. A key is 256 random bits, so it needs no salt and no slow hash. */
  hash: text('hash').notNull().unique(),
  scopes: text('scopes').array().notNull(),
  requestsPerMinute: integer('requests_per_minute'),
  tokensPerMinute: integer('tokens_per_minute'),
  createdAt: createdAt(),
  expiresAt: time('expires_at'),
  revokedAt: time('revoked_at'),
  lastUsedAt: time('last_used_at'),
})

/** Requests and tokens of a key on a day (UTC). */
export const usage = pgTable(
  'usage',
  {
    keyId: uuid('key_id').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    requests: bigint('requests', { mode: 'number' }).notNull().default(0),
    promptTokens: bigint('prompt_tokens', { mode: 'number' }).notNull().default(0),
    completionTokens: bigint('completion_tokens', { mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.keyId, table.day] }), index('usage_day').on(table.day)],
)

/** Characters: what they are, and how they feel now. */
export const npcs = pgTable('npcs', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  definition: jsonb('definition').$type<Record<string, unknown>>().notNull(),
  state: jsonb('state').$type<Record<string, unknown>>().notNull(),
  /** Counts up with every change, so that of two writers one notices. */
  version: integer('version').notNull().default(1),
  keyId: uuid('key_id'),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
})

export const conversations = pgTable(
  'conversations',
  {
    id: text('id').primaryKey(),
    npcId: text('npc_id').references(() => npcs.id, { onDelete: 'cascade' }),
    keyId: uuid('key_id'),
    createdAt: createdAt(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (table) => [index('conversations_npc').on(table.npcId)],
)

export const conversationTurns = pgTable(
  'conversation_turns',
  {
    conversationId: text('conversation_id')
      .notNull()
      .references(() => conversations.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    role: text('role').notNull(),
    content: text('content').notNull(),
    /** The values the turn was written for. */
    attributes: jsonb('attributes').$type<Record<string, number>>(),
    meta: jsonb('meta').$type<Record<string, unknown>>(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.conversationId, table.seq] })],
)

/** Responses of `/v1/responses` that their callers may go on from. */
export const responses = pgTable(
  'responses',
  {
    id: text('id').primaryKey(),
    /** Whose it is; nobody else sees it. */
    keyId: uuid('key_id'),
    /**
     * The response and the items that it was made from, as JSON texts: `jsonb` takes no U+0000 and no half of a
     * surrogate pair, which texts may hold.
     */
    response: text('response').notNull(),
    items: text('items').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('responses_key').on(table.keyId, table.createdAt),
    index('responses_created').on(table.createdAt),
  ],
)
