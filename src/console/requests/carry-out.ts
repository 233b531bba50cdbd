import type { Bmc, Component } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { DeviceRequest } from '../../bmc/device-request.ts'
import type { Job } from '../../bmc/state.ts'
import type { Outcome } from '../../devices/mqtt/follow.ts'
import { keyOf } from '../../devices/mqtt/topics.ts'
import { untilHere } from '../../devices/mqtt/until-here.ts'
import { fail } from '../../lib/result.ts'
import type { Turns } from '../../lib/turns.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import { isFinalJob } from '../../tasks/job.ts'
import type { Ending, WorkHandle } from '../../tasks/work.ts'
import { ask, type AskOptions } from './ask.ts'
import { counted, endOf, percentOf, stepKeys } from './counts.ts'
import { imageOf, type Target, toldAtBegin, toldAtEnd } from './told.ts'

/** How devices are asked. */
export interface Way extends AskOptions {
  /** So many at a time. */
  readonly turns: Turns
}

/** What is done for a request, and for whom. */
export interface Carried {
  readonly bmc: Bmc
  /** Of its job. */
  readonly id: string
  readonly handle: WorkHandle
  /** The firmware of devices, by their keys. */
  readonly attached: ReadonlyMap<string, Component>
  /** What lets go of devices that nobody else may update meanwhile. */
  readonly held: ReadonlyMap<string, () => void>
}

/** Asks all devices of a request that have not done what it wants, and tells of each what became of it. */
export async function carryOut(way: Way, carried: Carried): Promise<Ending> {
  const { bmc, id, handle, held } = carried
  const { request } = bmc.state.jobs.get(id) ?? {}
  const asked = openSteps(bmc, id).map(async (step) => {
    try {
      if (request !== undefined) await askOne(way, carried, { step, request })
    } finally {
      held.get(keyOfStep(step))?.()
    }
  })
  const done = await Promise.allSettled(asked)
  const cut = done.find((one) => one.status === 'rejected')
  const { isCancelling = false, requestDevices } = bmc.state.jobs.get(id) ?? {}
  if (cut === undefined) {
    const state = endOf(requestDevices)
    return { state, status: state === 'Completed' ? 200 : 500 }
  }
  const { aborted, reason } = handle.signal
  // At the end of the service they stay as they are: another goes on.
  if (isCancelling || !aborted) leaveOpen(way, carried)
  throw aborted ? reason : cut.reason
}

/** Asks one device, when it is there and it is its turn. */
async function askOne(
  { clock, mqtt, turns }: Way,
  carried: Carried,
  { step, request }: { readonly step: Job; readonly request: DeviceRequest },
): Promise<void> {
  const { handle, attached } = carried
  const { signal } = handle
  const key = keyOfStep(step)
  const uri = attached.get(key)?.relatedItems[0] ?? uris.systems
  const target: Target = { key, uri, image: imageOf(request, mqtt?.device(key)?.firmware) }
  const end = (outcome: Outcome): void =>
    put(carried, step.id, (now) => ({
      ...now,
      ...(outcome.ok ? { state: 'Completed', percent: 100 } : { state: 'Exception' }),
      startTime: now.startTime ?? clock.now(),
      endTime: clock.now(),
      messages: [...now.messages, ...toldAtEnd(request, target, outcome)],
    }))
  if (mqtt === undefined)
    return end(fail({ kind: 'unreachable', detail: `nobody here reaches ${key} any more` }))
  const here = await untilHere({ clock, manager: mqtt }, key, signal)
  if (!here.ok) return end(here)
  const over = await turns.take(signal)
  try {
    await handle.checkpoint()
    const mayBeAsked = step.state === 'Running'
    const begun = {
      state: 'Running',
      startTime: clock.now(),
      messages: toldAtBegin(request, target),
    } as const
    // Before it is asked: whoever goes on after a restart may not ask it twice.
    if (!mayBeAsked) put(carried, step.id, (now) => ({ ...now, ...begun }))
    end(await ask({ clock, mqtt }, { key, request, mayBeAsked }, signal))
  } finally {
    over()
  }
}

/** The steps of a request that have not ended. */
export function openSteps({ state }: Bmc, id: string): Job[] {
  const job = state.jobs.get(id)
  return (job ? stepKeys(job) : []).flatMap((key) => {
    const step = state.jobs.get(key)
    return step === undefined || isFinalJob(step.state) ? [] : [step]
  })
}

/** The device that a step asks. */
export function keyOfStep({ asked }: Job): string {
  return asked === undefined ? '' : keyOf(asked)
}

/** Changes a step, and with it what its job counts. */
function put({ bmc, id }: Carried, stepId: string, change: (step: Job) => Job): void {
  const key = `${id}/${stepId}`
  const [step, job] = [bmc.state.jobs.get(key), bmc.state.jobs.get(id)]
  if (step === undefined || job === undefined) return
  const changed = change(step)
  const counts = counted(job.requestDevices, step, changed)
  const percent = Math.max(job.percent, percentOf(counts))
  commit(bmc, {
    jobs: [
      [key, changed],
      [id, { ...job, requestDevices: counts, percent }],
    ],
  })
}

/** The request ends before its devices do: those that were not asked are not, and nobody follows the others any more. */
function leaveOpen({ clock }: Way, { bmc, id }: Carried): void {
  const job = bmc.state.jobs.get(id)
  if (job === undefined) return
  let counts = job.requestDevices
  const left = openSteps(bmc, id).map((step) => {
    const why = message('Redflash.DeviceFailed', keyOfStep(step), 'it was asked, and is followed no longer')
    const messages = step.state === 'Running' ? [...step.messages, why] : step.messages
    const ended: Job = { ...step, state: 'Cancelled', endTime: clock.now(), messages }
    counts = counted(counts, step, ended)
    return [`${id}/${step.id}`, ended] as const
  })
  commit(bmc, { jobs: [...left, [id, { ...job, requestDevices: counts ?? {} }]] })
}
