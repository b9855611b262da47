/** `#/jobs/<id>`: one job, live: progress, curves, log, result, and what can be done about it. */
import { goTo, hashOf } from '../router.js'
import { getJson, sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { followEvents, pause, repeat } from '../shared/follow-events.js'
import { ago } from '../shared/format.js'
import { facts, pageHead, section } from '../shared/layout.js'
import { actionButton, confirm, createTrouble, problem } from '../shared/notices.js'
import { createJobLog } from './job-log.js'
import { createMetrics } from './job-metrics.js'
import { isOver, jobProgress, jobTitle, runTime, stateBadge, stepTitle } from './job-parts.js'
import { jobResult } from './job-result.js'
import { createPipelineStrip } from './pipeline-strip.js'

export async function showJob(root, { path: [id], signal }) {
  const url = `/v1/jobs/${encodeURIComponent(id)}`
  let job = await getJson(url)
  const trouble = createTrouble()
  const head = h('div')
  const state = h('div', { className: 'job-state' })
  const result = h('div')
  const connection = h('small', { className: 'soft', role: 'status' })
  const metrics = createMetrics({ signal })
  const log = createJobLog()
  const strip = createPipelineStrip(job)

  const show = () => {
    head.replaceChildren(headOf(job, { url, trouble, cancel, retry }))
    showState()
    result.replaceChildren(...(job.status === 'succeeded' ? jobResult(job) : []))
  }
  const showState = () => {
    const waits = { waiting: 'Waits for the jobs before it.', queued: 'Waits for its turn.' }
    const failed = job.error && job.status === 'failed' ? problem(`${job.error.message} (${job.error.code})`) : null // prettier-ignore
    const parts = [jobProgress(job), waits[job.status] && h('p', { className: 'soft' }, waits[job.status]), failed] // prettier-ignore
    state.replaceChildren(...parts.filter(Boolean))
  }
  const reload = async () => {
    job = await getJson(url)
    show()
    if (job.pipeline_id) void strip.refresh().catch(() => {})
  }
  let isReloading = false
  /** Once for several events; where it fails, the end of the stream looks again. */
  const reloadSoon = async () => {
    if (isReloading) return
    isReloading = true
    await pause(100, signal)
    isReloading = false
    if (!signal.aborted) await reload().catch(() => {})
  }
  const onEvent = (event) => {
    const { type, data } = event
    if (type === 'metrics') metrics.add(data)
    else if (type === 'log') log.add(data.line ?? data.message ?? JSON.stringify(data))
    else if (type === 'progress') {
      job = { ...job, progress: data }
      if (!isOver(job)) showState()
    } else void reloadSoon()
  }
  const follow = () =>
    trouble.run(() =>
      followEvents(`${url}/events`, {
        signal,
        onEvent,
        isOver: async () => {
          await reload()
          return isOver(job)
        },
        onState: (isOn) => {
          connection.textContent = isOn ? '' : 'Connecting again…'
        },
      }),
    )
  const cancel = async () => {
    await sendJson('POST', `${url}/cancel`)
    await reload()
  }
  /** The events come again from the first on. */
  const retry = async () => {
    await sendJson('POST', `${url}/retry`)
    metrics.clear()
    log.clear()
    await reload()
    void follow()
  }

  show()
  root.append(head, connection, trouble.element, strip.element, state, result)
  root.append(metrics.element, log.element, details(job))
  if (job.pipeline_id) void repeat(() => strip.refresh().catch(() => {}), 2000, signal)
  void follow()
}

function headOf(job, { url, trouble, cancel, retry }) {
  const tries = job.attempts > 1 ? ` · attempt ${job.attempts}` : ''
  const head = pageHead({
    title: job.pipeline_id ? stepTitle(job) : jobTitle(job),
    crumbs: [{ href: hashOf(['jobs']), label: 'Jobs' }],
    lead: `${job.kind} · ${ago(job.created_at)} · ran ${runTime(job)}${tries}`,
    actions: actionsOf(job, { url, trouble, cancel, retry }),
  })
  head.querySelector('.lead').prepend(stateBadge(job.status), ' ')
  return head
}

function actionsOf(job, { url, trouble, cancel, retry }) {
  const button = (label, work, className) => actionButton(label, work, { trouble, className })
  const remove = async () => {
    const isSure = await confirm({
      title: 'Delete this job?',
      text: 'Its log and curves go. What it made stays.',
      action: 'Delete it',
    })
    if (!isSure) return
    await sendJson('DELETE', url)
    goTo(['jobs'])
  }
  if (!isOver(job)) return [button('Cancel the job', cancel)]
  const again = button('Try again', retry, 'primary')
  const last = button('Delete', remove, 'quiet danger-text')
  return job.status === 'succeeded' ? [last] : [again, last]
}

function details(job) {
  const entries = Object.entries(job.spec).map(([name, value]) => [
    name.replaceAll('_', ' '),
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ])
  return section(
    'Settings',
    facts([...entries, ['priority', String(job.priority)], ['id', job.id]]),
  )
}
