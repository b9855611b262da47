/** OpenAI's files: `/v1/files`. Times are whole seconds since 1970. */
import { z } from 'zod'

/** `file.json` beside the content of a stored file. */
export const FileManifest = z.strictObject({
  id: z.string(),
  filename: z.string(),
  purpose: z.string(),
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.string(),
})
export type FileManifest = z.infer<typeof FileManifest>

/** OpenAI's purposes; only files for `fine-tune` are used by anything here. */
export const FilePurpose = z.enum([
  'fine-tune',
  'assistants',
  'batch',
  'vision',
  'user_data',
  'evals',
])
export type FilePurpose = z.infer<typeof FilePurpose>

export const File = z.strictObject({
  id: z.string(),
  object: z.literal('file'),
  bytes: z.int(),
  created_at: z.int(),
  filename: z.string(),
  purpose: z.string(),
  status: z.literal('processed'),
})
export type File = z.infer<typeof File>

/** `GET /v1/files`; the next page begins `after` the last id of this one. */
export const FileList = z.strictObject({
  object: z.literal('list'),
  data: z.array(File),
  has_more: z.boolean(),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
})
export type FileList = z.infer<typeof FileList>

export const FileDeleted = z.strictObject({
  id: z.string(),
  object: z.literal('file'),
  deleted: z.literal(true),
})
export type FileDeleted = z.infer<typeof FileDeleted>

export const FilesQuery = z.strictObject({
  purpose: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(10_000),
  order: z.enum(['asc', 'desc']).default('desc'),
  after: z.string().optional(),
})

/** The fields of the multipart form beside `file`. */
export const FileFields = z.strictObject({ purpose: FilePurpose })
