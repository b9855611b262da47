/** The registry: published versions, aliases, what is served, and the workspace (`docs/registry.md`). */
import { z } from 'zod'

/** `village`, `village@prod` or `village@3`; never a path. */
export const ModelReferenceText = z
  .string()
  .max(180)
  .regex(/^[a-z0-9][a-z0-9._-]*(@[a-z0-9][a-z0-9._-]*)?$/i, {
    error: 'expected a model name such as village, village@prod or village@3',
  })

const alias = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9._-]*$/i, { error: 'expected a letter, then letters, digits, . _ -' })
const seconds = z.int()
const kind = z.enum(['language-model', 'attribute-model'])
const sha256 = z.string()

export const PublishRequest = z.strictObject({
  /** The model to publish: of the workspace, a bundled or a published one. */
  from: ModelReferenceText,
  /** Moved to the new version; `prod` is served under the model's bare name. */
  aliases: z.array(alias).max(16).nullish(),
  note: z.string().max(2000).nullish(),
})
export type PublishRequest = z.infer<typeof PublishRequest>

export const AliasRequest = z.strictObject({ version: z.int().positive() })
export type AliasRequest = z.infer<typeof AliasRequest>

export const DeleteModelQuery = z.strictObject({
  /** `true`: delete its aliases, too, and stop serving it. */
  force: z.enum(['true', 'false']).optional(),
})
export type DeleteModelQuery = z.infer<typeof DeleteModelQuery>

/** A name that the server serves, or is to serve. */
export const ServedModel = z.strictObject({
  object: z.literal('registry.served'),
  /** What requests call it. */
  name: z.string(),
  /** The published version that answers now; null: none, or the model is not published. */
  version: z.int().nullable(),
  /** The version that should answer. */
  wanted_version: z.int().nullable(),
  /** `failed`: what should be served cannot be loaded; what was served before, if anything, goes on. */
  state: z.enum(['ready', 'loading', 'restarting', 'failed']),
  /** Why it is served: started with it, alias `prod`, asked for, or it measures another. */
  because: z.enum(['configured', 'published', 'requested', 'companion']),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
})
export type ServedModel = z.infer<typeof ServedModel>

export const ServedModelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(ServedModel),
})
export type ServedModelList = z.infer<typeof ServedModelList>

const versionFields = {
  object: z.literal('registry.version'),
  model: z.string(),
  version: z.int(),
  /** Of the names and contents of all files. */
  sha256,
  bytes: z.int(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256 })),
  /** The model that it was published from. */
  from: z.string(),
  note: z.string().nullable(),
  kind,
  /** Names, in label-line order. */
  attributes: z.array(z.string()),
  /** Those that point here now. */
  aliases: z.array(z.string()),
  created_at: seconds,
}

export const RegistryVersion = z.strictObject(versionFields)
export type RegistryVersion = z.infer<typeof RegistryVersion>

export const PublishedVersion = z.strictObject({
  ...versionFields,
  /** How the name that the aliases are served under stands; null when they are not served. */
  served: ServedModel.nullable(),
})
export type PublishedVersion = z.infer<typeof PublishedVersion>

const aliasFields = {
  object: z.literal('registry.alias'),
  model: z.string(),
  alias: z.string(),
  version: z.int(),
  /** Where a roll back goes; null: nowhere. */
  previous_version: z.int().nullable(),
  /** Oldest first. */
  history: z.array(
    z.strictObject({
      version: z.int(),
      change: z.enum(['publish', 'alias', 'rollback']),
      created_at: seconds,
    }),
  ),
}

export const RegistryAlias = z.strictObject(aliasFields)
export type RegistryAlias = z.infer<typeof RegistryAlias>

export const MovedAlias = z.strictObject({ ...aliasFields, served: ServedModel.nullable() })
export type MovedAlias = z.infer<typeof MovedAlias>

export const RegistryModel = z.strictObject({
  object: z.literal('registry.model'),
  name: z.string(),
  /** Newest first. */
  versions: z.array(RegistryVersion),
  /** By name. */
  aliases: z.array(RegistryAlias),
})
export type RegistryModel = z.infer<typeof RegistryModel>

export const RegistryModelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(RegistryModel),
})
export type RegistryModelList = z.infer<typeof RegistryModelList>

/** A model of the workspace, as trainings write it. */
export const WorkspaceModel = z.strictObject({
  object: z.literal('registry.workspace_model'),
  name: z.string(),
  /** null where `problem` says what is wrong with the model. */
  kind: kind.nullable(),
  attributes: z.array(z.string()),
  bytes: z.int(),
  created_at: seconds,
  problem: z.string().nullable(),
})
export type WorkspaceModel = z.infer<typeof WorkspaceModel>

export const WorkspaceModelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(WorkspaceModel),
})
export type WorkspaceModelList = z.infer<typeof WorkspaceModelList>

export const RegistryDeleted = z.strictObject({
  /** What was deleted: `village`, `village@3` or `village@prod`. */
  id: z.string(),
  object: z.enum(['registry.model', 'registry.version', 'registry.alias', 'registry.workspace_model', 'registry.served']), // prettier-ignore
  deleted: z.literal(true),
})
export type RegistryDeleted = z.infer<typeof RegistryDeleted>

/** OpenAI's answer to DELETE /v1/models/{id}. */
export const DeletedModel = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  deleted: z.literal(true),
})
export type DeletedModel = z.infer<typeof DeletedModel>
