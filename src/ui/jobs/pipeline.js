/** The whole loop as one request: rated rows and texts in, a published model out. */

/**
 * POST /v1/jobs takes the result. `values`: `rated`, `texts`, `base`, `name`, and, where given, `apm_steps`,
 * `sft_steps`, `batch_size`, `lr` and `seed` of both trainings, `prompts` of the evaluation, `publish_apm`.
 */
export function pipelineOf(values) {
  const { rated, texts, base, name } = values
  const apm = `${name}-apm`
  const labelled = `${name}-labelled`
  const training = given({ batch_size: values.batch_size, lr: values.lr, seed: values.seed })
  const train = (stage, data, model, steps) => ({
    stage,
    data,
    base,
    name: model,
    ...training,
    ...given({ max_steps: steps }),
  })
  const evaluation = { type: 'steering', model: name, apm, limit: values.prompts ?? 20 }
  const steps = [
    { ref: 'apm', kind: 'train', spec: train('apm', rated, apm, values.apm_steps) },
    { ref: 'label', kind: 'label', spec: { data: texts, apm, name: labelled }, after: ['apm'] },
    { ref: 'sft', kind: 'train', spec: train('sft', labelled, name, values.sft_steps), after: ['label'] }, // prettier-ignore
    { ref: 'evaluate', kind: 'evaluate', spec: evaluation, after: ['sft'] },
    { ref: 'publish', kind: 'publish', spec: publication(name), after: ['evaluate'] },
  ]
  if (values.publish_apm) {
    steps.push({ ref: 'publish-apm', kind: 'publish', spec: publication(apm), after: ['evaluate'] })
  }
  return { name: `Loop for ${name}`, pipeline: steps }
}

const publication = (model) => ({ model, from: model, aliases: ['prod'] })

function given(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
