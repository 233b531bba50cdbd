import type { Bmc } from '../../bmc/bmc.ts'
import type { Entries, Job } from '../../bmc/state.ts'
import type { Message } from '../../redfish/messages/message.ts'
import type { Changes, LiveRollout } from '../../rollout/live.ts'
import { estimatedEnd } from '../../rollout/estimate.ts'
import type { RolloutHead, TargetRecord } from '../../rollout/state.ts'
import { isFinalJob } from '../../tasks/job.ts'
import { type Asked, headPart, targetPart } from './record.ts'
import { type Shown, shownRollout, shownTarget, shownWave } from './shown.ts'
import { newsOfHead, newsOfTarget, newsOfWave } from './told.ts'

/** A roll-out, and where it is shown. */
export interface Projected {
  readonly bmc: Bmc
  readonly asked: Asked
  readonly live: LiveRollout
  /** The jobs of its waves, in their order. */
  readonly waveIds: readonly string[]
  /** The steps of its devices, by their Ids: in the job of their wave, or, of those in none, in that of the whole. */
  readonly steps: ReadonlyMap<string, StepPlace>
}

export interface StepPlace {
  readonly job: string
  readonly number: number
}

/** Gives every device its step, those that came first the first. */
export function placeSteps(
  { live, waveIds, asked }: Omit<Projected, 'steps'>,
  steps: Map<string, StepPlace>,
): void {
  const counts = new Map<string, number>()
  for (const { job, number } of steps.values()) counts.set(job, Math.max(number, counts.get(job) ?? 0))
  for (const { id, wave } of live.targets.values()) {
    if (steps.has(id)) continue
    const job = wave === undefined ? asked.base.id : (waveIds[wave] ?? asked.base.id)
    const number = (counts.get(job) ?? 0) + 1
    counts.set(job, number)
    steps.set(id, { job, number })
  }
}

/** The jobs as they are when these changes of the roll-out are made: they show it, and nothing works in them. */
export function jobsAfter(rollout: Projected, { head, waves, targets }: Changes): Entries<Job> {
  const { live } = rollout
  const ofWaves = new Set([
    ...waves.map(({ index }) => index),
    ...targets.flatMap(({ wave }) => wave ?? []),
    // Where the whole stands still, so does what of it runs.
    ...(head === undefined ? [] : live.waves.map(({ index }) => index)),
  ])
  const ofWhole = [...ofWaves].flatMap((index) => waveJob(rollout, index))
  const byWaves = ofWhole.flatMap((entry) => newsIn(rollout.bmc, entry))
  const whole = wholeJob(rollout, byWaves)
  const steps = targets.flatMap((target) => stepJob(rollout, target))
  // As they are told: what is part of something begins after it, and ends before it.
  const jobs = isFinalJob(whole[1].state) ? [...steps, ...ofWhole, whole] : [whole, ...ofWhole, ...steps]
  return jobs.filter(([key, job]) => !isSame(rollout.bmc.state.jobs.get(key), job))
}

const shownMembers = [
  'state',
  'rolloutState',
  'rolloutHistory',
  'rolloutAttempts',
  'approvedBy',
  'estimatedEnd',
  'percent',
  'startTime',
  'endTime',
  'messages',
  'parts',
] as const

function isSame(was: Job | undefined, now: Job): boolean {
  const { waveJobs = [], rolloutDevices = {} } = now
  return (
    was !== undefined &&
    Object.entries(rolloutDevices).every(([state, count]) => was.rolloutDevices?.[state] === count) &&
    shownMembers.every((name) => was[name] === now[name]) &&
    waveJobs.every(({ id, parts }, index) => {
      const before = was.waveJobs?.[index]
      return before?.id === id && before.parts === parts
    })
  )
}

type Entry = readonly [key: string, job: Job]

/** What a job tells that it has not told before. */
export function newsIn({ state }: Bmc, [key, job]: Entry): readonly Message[] {
  return job.messages.slice(state.jobs.get(key)?.messages.length ?? 0)
}

/** What its waves tell, it tells, too. */
function wholeJob(rollout: Projected, byWaves: readonly Message[]): Entry {
  const { bmc, asked, live, waveIds } = rollout
  const { id, plan } = asked.base
  const was = headPart(bmc, id)
  const name = plan.Name ?? `Roll-out of ${asked.base.image}`
  const news = [...byWaves, ...newsOfHead(live, was?.head ?? unbegun, name)]
  const job = made(rollout, id, { name, shown: shownRollout(live), news })
  const waveJobs = waveIds.map((wave, index) => ({ id: wave, parts: live.tallyOf(index).total }))
  const skipped = live.all.total - waveJobs.reduce((sum, { parts }) => sum + parts, 0)
  const { state: rolloutState, history: rolloutHistory } = live.head
  const told = { rolloutState, rolloutHistory, rolloutDevices: { ...live.all.counts } }
  return [id, { ...job, ...told, estimatedEnd: estimateOf(rollout, job), waveJobs, parts: skipped }]
}

/** Made anew with each percent, and no oftener: it looks at all devices. */
function estimateOf({ bmc, live }: Projected, { id, percent }: Job): number | undefined {
  const was = bmc.state.jobs.get(id)
  const isNews = was?.percent !== percent || was.rolloutState !== live.head.state
  return isNews ? estimatedEnd(live, live.now) : was.estimatedEnd
}

const unbegun: RolloutHead = { state: 'New', forgiven: 0, history: [] }

function waveJob(rollout: Projected, index: number): readonly Entry[] {
  const { bmc, live, waveIds } = rollout
  const wave = live.waves[index]
  const id = waveIds[index]
  if (wave === undefined || id === undefined) return []
  const news = newsOfWave(bmc.state.jobs.get(id)?.state, wave)
  const job = made(rollout, id, { name: wave.name, shown: shownWave(live, wave), news })
  const { total: parts, counts } = live.tallyOf(index)
  const { state: rolloutState, history: rolloutHistory, approvedBy } = wave
  const told = { rolloutState, rolloutHistory, rolloutDevices: { ...counts }, approvedBy }
  return [[id, { ...job, ...told, wave: index, parts }]]
}

function stepJob(rollout: Projected, target: TargetRecord): readonly Entry[] {
  const { bmc, asked, live, steps } = rollout
  const place = steps.get(target.id)
  if (place === undefined) return []
  const { base } = asked
  const key = `${place.job}/${place.number}`
  const news = newsOfTarget(targetPart(bmc, base.id, target.id), target, base.image)
  const shown = shownTarget(target, live.now)
  const job = made(rollout, key, { name: `Update of ${target.name}`, shown, news })
  const told = { rolloutState: target.state, rolloutAttempts: target.history }
  return [[key, { ...job, ...told, id: String(place.number), parent: place.job }]]
}

interface Made {
  readonly name: string
  readonly shown: Shown
  readonly news: readonly Message[]
}

/** What a job is of whatever it shows; what it has told stays told. */
function made({ bmc, asked, live }: Projected, key: string, { name, shown, news }: Made): Job {
  const was = bmc.state.jobs.get(key)
  const { messages = [], createdAt = live.now } = was ?? {}
  return {
    id: key,
    name,
    type: 'ServiceGenerated',
    messages: news.length === 0 ? messages : [...messages, ...news],
    createdAt,
    actor: asked.actor,
    group: asked.group,
    rollout: asked.base.id,
    ...shown,
  }
}
