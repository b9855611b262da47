/** The registry's answers: camelCase to snake_case, times to seconds. */
import type {
  MovedAlias,
  PublishedVersion,
  RegistryAlias,
  RegistryModel,
  RegistryVersion,
  ServedModel,
  WorkspaceModel,
} from '../../schemas/registry.ts'
import type { ModelAlias, ModelVersion, PublishedModel } from '../registry/registry.ts'
import type { WorkspaceModel as WorkspaceFolder } from '../registry/workspace.ts'
import type { WithServed } from '../services/registry-service.ts'
import type { ServedState } from '../services/serving.ts'
import { wireCode } from './error-response.ts'

const toSeconds = (iso: string): number => Math.floor(Date.parse(iso) / 1000)

export function toServedModel(state: ServedState): ServedModel {
  const { name, version, wantedVersion, because, error } = state
  return {
    object: 'registry.served',
    name,
    version,
    wanted_version: wantedVersion,
    state: state.state,
    because,
    error: error && { code: wireCode(error.code), message: error.message },
  }
}

export function toRegistryVersion(version: ModelVersion): RegistryVersion {
  return {
    object: 'registry.version',
    model: version.model,
    version: version.version,
    sha256: version.sha256,
    bytes: version.bytes,
    files: [...version.files],
    from: version.from,
    note: version.note,
    kind: version.kind,
    attributes: [...version.attributes],
    aliases: [...version.aliases],
    created_at: toSeconds(version.createdAt),
  }
}

export function toRegistryAlias(alias: ModelAlias): RegistryAlias {
  return {
    object: 'registry.alias',
    model: alias.model,
    alias: alias.alias,
    version: alias.version,
    previous_version: alias.previous,
    history: alias.history.map(({ version, change, at }) => ({
      version,
      change,
      created_at: toSeconds(at),
    })),
  }
}

const servedOf = ({ served }: WithServed<object>): ServedModel | null =>
  served && toServedModel(served)

export function toPublishedVersion(version: WithServed<ModelVersion>): PublishedVersion {
  return { ...toRegistryVersion(version), served: servedOf(version) }
}

export function toMovedAlias(alias: WithServed<ModelAlias>): MovedAlias {
  return { ...toRegistryAlias(alias), served: servedOf(alias) }
}

export function toRegistryModel({ name, versions, aliases }: PublishedModel): RegistryModel {
  return {
    object: 'registry.model',
    name,
    versions: versions.map(toRegistryVersion),
    aliases: aliases.map(toRegistryAlias),
  }
}

export function toWorkspaceModel(model: WorkspaceFolder): WorkspaceModel {
  return {
    object: 'registry.workspace_model',
    name: model.name,
    kind: model.manifest?.kind ?? null,
    attributes: model.manifest?.attributes.map((spec) => spec.name) ?? [],
    bytes: model.bytes,
    created_at: model.created,
    problem: model.problem,
  }
}
