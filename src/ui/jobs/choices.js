/** What the forms offer to choose from: data sets and models of every place. */
import { getJson } from '../shared/api.js'

/** Lists may be missing (a key without the scope, a server without the part); the form then offers the others. */
const list = (path) =>
  getJson(path)
    .then(({ data }) => data)
    .catch(() => [])

export async function loadChoices() {
  const [datasets, served, published, workspace] = await Promise.all(
    ['/v1/datasets', '/v1/models', '/v1/registry/models', '/v1/registry/workspace'].map(list),
  )
  const models = [
    ...served.map(({ id, kind }) => ({ value: id, kind, group: 'Served' })),
    ...published.flatMap(publishedNames),
    ...workspace.map(({ name, kind }) => ({ value: name, kind, group: 'Workspace' })),
  ]
  const unique = [...new Map(models.toReversed().map((model) => [model.value, model])).values()]
  const ofKind = (kind) => unique.toReversed().filter((model) => (model.kind ?? kind) === kind)
  return {
    datasets,
    rated: datasets.filter((set) => Object.keys(set.attributes ?? {}).length > 0).map(asOption),
    allSets: datasets.map(asOption),
    languageModels: ofKind('language-model'),
    attributeModels: ofKind('attribute-model'),
    workspace: workspace.filter(({ problem }) => !problem).map(({ name }) => ({ value: name })),
  }
}

const asOption = ({ name, rows }) => ({ value: name, label: `${name} (${rows} rows)` })

function publishedNames({ name, versions, aliases }) {
  const kind = versions[0]?.kind
  const refs = [
    ...aliases.map(({ alias }) => `${name}@${alias}`),
    ...versions.map(({ version }) => `${name}@${version}`),
  ]
  return refs.map((value) => ({ value, kind, group: 'Published' }))
}
