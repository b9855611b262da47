/** Requests for entertainment and work: tales, rumours, quests, feasts. */
import { feasts, quests } from '../world/deeds.ts'
import { rumours, tales } from '../world/stories.ts'
import { topicsOf } from './topic.ts'

const taleFillers = [
  'the old people tell it by the fire',
  'my [mother|father|teacher] told it every winter',
  'there are three songs about it',
  'the children know every word of it',
  'a painter put it on the wall of the inn',
  'some of it happened not far from here',
  'long ago the nights were longer and so were the tales',
  'on cold evenings the whole inn falls silent for it',
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
      details: ['because {reason}', 'since {moral}'],
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
      details: ['because in the end {end}', 'since {end}'],
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
  'news travels slowly in this valley',
  'the inn is full of talk these days',
  'everyone at the market speaks about {np}',
  'a rider came through at dawn',
  'people lower their voices when strangers come',
  'the old men argue about it all day',
  'the last week was full of surprises',
  'no one talks about the weather any more',
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
      details: ['because {reason}', 'since {reason}', 'unless someone lied'],
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
      details: ['because {reason}', 'since {reason}'],
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

const questFillers = [
  'the notice has hung at the town hall for a week',
  'two others tried it and came back tired',
  'good helpers are hard to find these days',
  'the mayor pays from the common chest',
  'the village was safer in the old days',
  'half the young men are away at war',
  'the whole street would sleep better',
  'it is honest work for honest coins',
]

export const questTopics = topicsOf(
  'quest',
  { entities: quests, fillers: questFillers },
  {
    job: {
      weight: 2.5,
      ask: [
        'do you have work for me?',
        'is there any [work|job] [here|for a traveller|today]?',
        'I need [coins|work]. Is there a job?',
        'can I help you with something?',
        'I am looking for [work|an adventure|a quest].',
        'does anyone here need a [strong hand|brave soul|helper]?',
      ],
      followUp: ['do you have other work?', 'is there another job?'],
      about: 'work for strangers',
      facts: [
        'someone must {task}',
        'we need someone to {task}',
        'you could {task}',
        'the village needs a helper to {task}',
        'there is a job, to {task}',
      ],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'come back to me for {reward}.',
        'start at dawn.',
        'take a torch and a stick.',
        'I can pay you {reward}.',
        'tell the guards before you leave.',
        'bring proof and get {reward}.',
        'go to the town hall and sign.',
      ],
    },
    reward: {
      ask: [],
      followUp: [
        'what is the reward?',
        'how much do you pay?',
        'what do I get for it?',
        'is it worth my time?',
      ],
      about: 'the reward',
      facts: [
        'the reward is {reward}',
        'it pays {reward}',
        'you get {reward} for it',
        '{reward} is the pay',
      ],
      details: [
        'because {reason}',
        'since {reason}',
        'provided you finish it',
        'including a hot meal',
      ],
      steps: [
        'come back here when it is done.',
        'I can pay half now.',
        'ask for your coins at the town hall.',
        'bring me proof.',
        'start before the week ends.',
        'let me write it down.',
      ],
    },
    danger: {
      ask: [],
      followUp: [
        'is it dangerous?',
        'what must I watch out for?',
        'can I do it alone?',
        'where is it?',
      ],
      about: 'the danger of the job',
      facts: [
        'the danger is {risk}, and it is {where}',
        'watch out for {risk} {where}',
        'the place is {where} and the risk is {risk}',
        'the risk is {risk} {where}',
      ],
      details: [
        'unless you are quiet',
        'as long as you are alone',
        'except in daylight',
        'because {reason}',
      ],
      steps: [
        'take a shield with you.',
        'go there in daylight.',
        'I can lend you a helmet.',
        'bring someone you trust.',
        'leave if you see {risk}.',
        'let me give you some bandages.',
      ],
    },
  },
)

const feastFillers = [
  'last year the music went on until dawn',
  'the whole village looks forward to {np}',
  'the baker starts three days before',
  'people come from all the villages around',
  'the mayor gives a long speech each time',
  'the streets are swept the day before',
  'my [sister|brother|neighbour] plays the drum there',
  'there is always too little room at the inn',
]

export const feastTopics = topicsOf(
  'feast',
  { entities: feasts, fillers: feastFillers },
  {
    day: {
      weight: 1.5,
      ask: [
        'when is {np}?',
        'what day is {np}?',
        'is {np} soon?',
        'I want to see {np}. When is it?',
      ],
      followUp: ['when is it?', 'and what day is that?'],
      about: 'the day of {np}',
      facts: ['{np} is {day}', '{np} takes place {day}', 'it is {day}', 'we hold {np} {day}'],
      details: ['because {reason}', 'since {reason}', 'unless it rains'],
      steps: [
        'come early for a good seat.',
        'bring your best clothes.',
        'I can keep you a seat.',
        'meet me {where}.',
        'ask for a room before the crowd comes.',
        'let me show you around that day.',
      ],
    },
    place: {
      ask: ['where is {np} held?', 'what happens at {np}?', 'what can I see at {np}?'],
      followUp: ['where is it held?', 'what happens there?', 'is there something to eat or win?'],
      about: '{np}',
      facts: [
        'there is {what} {where}',
        '{np} is held {where}, with {what}',
        'people meet {where} for {what}',
        'it is {where}, with {what}',
      ],
      details: [
        'because {reason}',
        'since {reason}',
        'including free drinks for everyone',
        'unless it rains',
      ],
      steps: [
        'come hungry.',
        'bring a coin for the drummer.',
        'I can keep you a seat.',
        'meet me {where}.',
        'go there early.',
        'let me take you along.',
      ],
    },
  },
)
