import type { Actor } from '../../bmc/actor.ts'
import { firmwareId } from '../../bmc/device-documents.ts'
import { type Bmc, type Component, findComponent } from '../../bmc/bmc.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Job } from '../../bmc/state.ts'
import { keyOf } from '../../devices/mqtt/topics.ts'
import { type Result, succeed } from '../../lib/result.ts'
import { Turns } from '../../lib/turns.ts'
import { lastSegment } from '../../redfish/uris.ts'
import { isFinalJob } from '../../tasks/job.ts'
import type { JobEngine, JobWork } from '../../tasks/job-engine.ts'
import type { Updates } from '../../update/updates.ts'
import { MQTT } from '../mqtt.ts'
import { type AskOptions, learn } from './ask.ts'
import { carryOut, keyOfStep, openSteps, type Way } from './carry-out.ts'
import { judgeWish, type Refusal, type RequestWish } from './wish.ts'

export interface RequestOptions extends AskOptions {
  readonly jobs: JobEngine
  readonly updates: Updates
}

/** So many devices of all requests do something at the same time. */
const MAX_AT_ONCE = 500

/**
 * The requests of IBM's device management: each is a job, and each of its devices a step of that. A step that runs may have
 * been asked; so says its record before its device is.
 */
export class Requests {
  readonly #options: RequestOptions
  readonly #way: Way

  constructor(options: RequestOptions) {
    this.#options = options
    this.#way = { ...options, turns: new Turns(MAX_AT_ONCE) }
  }

  /** Begins what a client's body says; or tells everything that stands against it, and nothing begins. */
  async begin(bmc: Bmc, body: unknown, actor: Actor): Promise<Result<Job, readonly Refusal[]> | 'no-room'> {
    const first = this.#judge(bmc, body)
    if (!first.ok) return first
    await this.#learn(first.value)
    // What devices do now may be another thing than before.
    const judged = this.#judge(bmc, body)
    if (!judged.ok) return judged
    if (!this.#options.jobs.hasRoom(bmc)) return 'no-room'
    return succeed(this.#start(bmc, judged.value, actor))
  }

  /** Ends a request where it has not ended, and removes its job. */
  async remove(bmc: Bmc, id: string): Promise<void> {
    const { jobs, mqtt } = this.#options
    const { closed } = mqtt ?? { closed: new AbortController().signal }
    jobs.cancel(bmc, id)
    for (;;) {
      const job = bmc.state.jobs.get(id)
      if (job === undefined || jobs.remove(bmc, id)) return
      await nextChange(bmc, (change) => change.jobs?.some(([key]) => key === id) ?? false, closed)
    }
  }

  /** Goes on with what an earlier run of the service left under way. */
  takeUp(bmc: Bmc): void {
    const left = [...bmc.state.jobs.values()].filter(
      ({ request, state }) => request !== undefined && !isFinalJob(state),
    )
    if (left.length === 0) return
    for (const job of left)
      this.#options.jobs.takeUp(bmc, job.id, this.#work(bmc, openSteps(bmc, job.id).map(keyOfStep)))
  }

  #judge(bmc: Bmc, body: unknown): ReturnType<typeof judgeWish> {
    const { mqtt, updates } = this.#options
    const attached = attachedByMqtt(bmc)
    return judgeWish(body, (key) => {
      const device = mqtt?.device(key)
      const component = attached.get(key)
      if (device === undefined || component === undefined) return undefined
      return { ...device, isBusy: updates.isClaimed(bmc, component.id) }
    })
  }

  async #learn({ devices, action }: RequestWish): Promise<void> {
    const { clock, mqtt } = this.#options
    if (mqtt !== undefined) await learn({ clock, mqtt }, devices.map(keyOf), action)
  }

  #start(bmc: Bmc, { devices, action, parameters }: RequestWish, actor: Actor): Job {
    return this.#options.jobs.start(bmc, {
      name: `Request ${action}`,
      type: 'ServiceGenerated',
      actor,
      request: { request: { action, parameters }, requestDevices: { Pending: devices.length } },
      steps: devices.map(({ typeId, deviceId }) => ({
        name: `${action} of ${typeId}/${deviceId}`,
        asked: { typeId, deviceId },
      })),
      ...this.#work(bmc, devices.map(keyOf)),
    })
  }

  /** The work of a request to these devices: nobody else updates them, or asks them, as long as they are asked. */
  #work(bmc: Bmc, keys: readonly string[]): Pick<JobWork, 'run'> {
    const attached = attachedByMqtt(bmc)
    const held = keys.flatMap((key) => {
      const component = attached.get(key)
      const release = component && this.#options.updates.hold(bmc, component)
      return release === undefined ? [] : [[key, release] as const]
    })
    const carried = { bmc, attached, held: new Map(held) }
    return { run: (handle) => carryOut(this.#way, { ...carried, id: lastSegment(handle.uri), handle }) }
  }
}

/** The firmware of the devices that are attached by MQTT, by their keys. */
function attachedByMqtt(bmc: Bmc): ReadonlyMap<string, Component> {
  const all = [...bmc.state.devices.values()].flatMap(({ id, method, address, facts }) => {
    const [firmware] = facts.firmware
    const component =
      firmware && method === MQTT ? findComponent(bmc, firmwareId(id, firmware.id)) : undefined
    return component === undefined ? [] : [[address.hostName, component] as const]
  })
  return new Map(all)
}
