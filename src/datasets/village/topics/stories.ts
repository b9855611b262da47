/** Requests for tales and for the talk of the village. */
import { rumours, tales } from '../world/stories.ts'
import { topicsOf } from './topic.ts'

const taleFillers = [
  'the old people tell it by the fire[. Each of them tells it in a different way|]',
  'my [mother|father|teacher] told it every winter[. I knew each word and still felt cold|]',
  'there are three songs about it[. The shortest is the best|]',
  'the children know every word of it[. They shout when I get it wrong|]',
  'a painter put it on the wall of the inn[. The smoke has eaten half of it|]',
  'some of it happened not far from here[. You can still see the place|]',
  'long ago the nights were longer, and so were the tales',
  'on cold evenings the whole inn falls silent for it[. You hear only the fire|]',
  'I heard it first from a sailor[. He swore that he was there|]',
]

export const taleTopics = topicsOf(
  'tale',
  { entities: tales, fillers: taleFillers },
  {
    tell: {
      weight: 2.5,
      ask: [
        'tell me {np}.',
        'tell me a [tale|story].',
        'do you know a [good |old |strange |][tale|story]?',
        'I would like to hear {np}.',
        'what is {np} about?',
        'the evening is long. Tell me a [tale|story].',
      ],
      followUp: ['and the tale?', 'tell it to me again.'],
      about: 'old tales',
      facts: ['{plot}', 'it goes like this. {plot}', 'here is {np}. {plot}'],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'come back at dusk for the end.',
        'I can tell you the end tonight.',
        'ask for {title} at the inn.',
        'let me sing you the rest.',
        'wait for the end of it.',
        'meet me by the fire tonight.',
      ],
    },
    end: {
      ask: ['how does {np} end?'],
      followUp: [
        'what happened then?',
        'and how does it end?',
        'go on, what happened next?',
        'is that all?',
      ],
      about: 'the end of the tale',
      facts: ['in the end, {end}', 'then {end}', 'at last {end}', '{end}'],
      details: ['because {moral}', 'since {moral}', 'except in one version'],
      steps: [
        'come back tomorrow for another tale.',
        'I can sing you the last verse.',
        'ask for the long version at the inn.',
        'tell it to your children one day.',
        'visit me for another one.',
        'let me tell you one more tonight.',
      ],
    },
    moral: {
      ask: ['what does {np} teach us?'],
      followUp: ['what does it mean?', 'is it a true story?', 'what can I learn from it?'],
      about: 'the meaning of the tale',
      facts: [
        'it teaches us that {moral}',
        'the lesson is that {moral}',
        '{np} says that {moral}',
        'it means that {moral}',
      ],
      details: [
        'because people never change',
        'since even kings must learn it',
        'unless you skip the end',
        'except in the sad version',
      ],
      steps: [
        'come back and tell me your view.',
        'I can show you where it happened.',
        'ask for the old book in the library.',
        'tell it to someone tonight.',
        'read the long version one day.',
        'visit the place and see.',
      ],
    },
  },
)

const rumourFillers = [
  'news travels slowly in this valley[. By the time we hear it, it is old|]',
  'the inn is full of talk these days[. You hardly hear your own voice|]',
  'everyone at the market speaks about {np}[. Nobody speaks about anything else|]',
  'a rider came through at dawn[. He changed his horse and was gone|]',
  'people lower their voices when strangers come[. It is an old habit|]',
  'the old men argue about it all day[. In the evening they start again|]',
  'the last week was full of surprises[. I would like a quiet one now|]',
  'in my youth there was no news at all[. We talked about the weather|]',
]

export const rumourTopics = topicsOf(
  'rumour',
  { entities: rumours, fillers: rumourFillers },
  {
    news: {
      weight: 2,
      ask: [
        'what is the news?',
        'have you heard any [news|rumours]?',
        'what do people talk about [here|these days]?',
        'is there news about {np}?',
        'what do you know about {np}?',
        'did anything happen [here|lately]?',
      ],
      followUp: ['and what do people say?', 'is there more news?'],
      about: 'the talk of the village',
      facts: [
        '{news}',
        'they say that {news}',
        'the news is that {news}',
        'people say that {news}',
      ],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'ask for more at the inn.',
        'speak with {source}.',
        'come back tomorrow for more.',
        'I can tell you more tonight.',
        'let me know what you hear.',
        'buy me an ale and hear the rest.',
      ],
    },
    source: {
      ask: [],
      followUp: [
        'is that true?',
        'who told you that?',
        'where did you hear that?',
        'are you sure?',
      ],
      about: 'the source of that',
      facts: [
        '{source} told me',
        'it comes from {source}',
        'the news came from {source}',
        '{source} saw it',
      ],
      details: [
        'unless someone lied',
        'because {source} saw it with open eyes',
        'since we are old neighbours',
        'except for one small part',
      ],
      steps: [
        'ask for {source} at the inn.',
        'speak with {source}.',
        'go to the square and ask around.',
        'I can bring you to {source}.',
        'let me ask again tonight.',
        'wait a day or two.',
      ],
    },
    next: {
      ask: [],
      followUp: [
        'and what happens next?',
        'what happens now?',
        'what does that mean for us?',
        'should I worry?',
      ],
      about: 'what comes after that',
      facts: ['soon {next}', 'it means that {next}', 'before long {next}', 'now {next}'],
      details: [
        'because {news}',
        'since {news}',
        'unless the mayor stops it',
        'provided it is all true',
      ],
      steps: [
        'come to the square tomorrow.',
        'speak with {source}.',
        'wait at the inn until then.',
        'I can send you word.',
        'pack your things in time.',
        'let me warn you when it starts.',
      ],
    },
  },
)
