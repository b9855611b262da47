/** The page: navigation between the views. The chat stays; the other views are built anew each time. */
import { showCharacter } from './characters/character-view.js'
import { showCharacters } from './characters/characters-view.js'
import { showChat } from './chat/chat-view.js'
import { showDataset } from './data/dataset-view.js'
import { showDatasets } from './data/datasets-view.js'
import { showJob } from './jobs/job-view.js'
import { showJobs } from './jobs/jobs-view.js'
import { showNewJob } from './jobs/new-job-view.js'
import { showModel } from './models/model-view.js'
import { showModels } from './models/models-view.js'
import { startRouter } from './router.js'
import { byId, h } from './shared/dom.js'
import { problem } from './shared/notices.js'
import { startTheme } from './shared/theme.js'

/** The view of a path without its first part; views fill `root` until `signal` aborts. */
const views = {
  characters: ([id]) => (id ? showCharacter : showCharacters),
  data: ([name]) => (name ? showDataset : showDatasets),
  jobs: ([id]) => (id === 'new' ? showNewJob : id ? showJob : showJobs),
  models: ([name]) => (name ? showModel : showModels),
}
const titles = {
  chat: 'Chat',
  characters: 'Characters',
  data: 'Data',
  jobs: 'Jobs',
  models: 'Models',
}

let leaving = new AbortController()
let isFirst = true

startTheme(byId('theme'))
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault() // its hash is no route
  byId('main').focus()
})
startRouter(async (route) => {
  leaving.abort()
  leaving = new AbortController()
  const [view = 'chat', ...rest] = route.path
  markView(titles[view] ? view : 'chat', rest)
  if (view === 'chat' || !titles[view]) await showChat(route, leaving.signal)
  else await showPage(views[view](rest), rest, route.query)
  isFirst = false
})

function markView(view, rest) {
  document.body.dataset.view = view
  document.title = `${[...rest.toReversed(), titles[view]].join(' · ')} · steerlm`
  byId('chat').hidden = view !== 'chat'
  byId('page').hidden = view === 'chat'
  for (const link of document.querySelectorAll('.views a')) {
    if (link.hash === `#/${view}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}

async function showPage(show, path, query) {
  const { signal } = leaving
  const root = h('div', { className: 'page-content' })
  byId('page').replaceChildren(root)
  byId('page').scrollTop = 0
  root.append(h('p', { className: 'soft loading' }, 'Loading…'))
  try {
    const content = h('div')
    await show(content, { path, query, signal })
    if (signal.aborted) return
    root.replaceChildren(content)
    // A reader of the screen hears where a link led; the first page is read anyway.
    if (!isFirst) root.querySelector('h2')?.focus({ preventScroll: true })
  } catch (error) {
    if (signal.aborted) return
    const again = { label: 'Try again', run: () => dispatchEvent(new Event('hashchange')) }
    root.replaceChildren(problem(error.message, again))
  }
}
