import { Background } from '../lib/background.ts'
import { type Clock, type DeviceClock, deviceClock, timestamp } from '../lib/clock.ts'
import { message } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { booted } from './banks.ts'
import { appliedSettings } from './bios.ts'
import { type Bmc, machineMember } from './bmc.ts'
import { afterBoot, bootOverride } from './boot-override.ts'
import { commit } from './commit.ts'
import { noted } from './log.ts'
import { bootSteps, isSystem, setupSteps, type Step, stepsOf } from './reset-steps.ts'
import { isAtLeast, type PerformedReset, strengthOf } from './reset-types.ts'
import type { ResetUnderWay } from './reset-under-way.ts'
import type { Entries } from './state.ts'
import { ofEach } from '../lib/of-each.ts'

/** What resets set in motion elsewhere. */
export interface ResetHooks {
  /** The resource lost its state: work that ran on it is over. */
  readonly interrupted: (bmc: Bmc, resource: string) => void
  /** The resource boots: what waited for its reset is activated before it is up. */
  readonly opened: (bmc: Bmc, reset: PerformedReset, signal: AbortSignal) => Promise<void>
  /** A bug in a reset. */
  readonly failed: (error: unknown) => void
}

/** A reset as it was when this run of the service began with it. */
interface Running {
  readonly bmc: Bmc
  readonly uri: string
  readonly reset: ResetUnderWay
  readonly signal: AbortSignal
}

/** Carries out resets by the clock: power follows, what waited is opened, the serving manager is away meanwhile. */
export class Resets {
  readonly #clock: Clock
  readonly #hooks: ResetHooks
  readonly #background: Background
  readonly #running = ofEach<Bmc, Map<string, AbortController>>(() => new Map())

  constructor(clock: Clock, hooks: ResetHooks) {
    this.#clock = clock
    this.#hooks = hooks
    this.#background = new Background(hooks.failed)
  }

  /** Starts the reset of a ComputerSystem or a Manager; one that is under way gives way to it. */
  start(bmc: Bmc, uri: string, type: string): void {
    this.#start(bmc, uri, this.#left(bmc, uri, type) ?? asked(bmc, uri, type))
  }

  /** Keeps that somebody is promised the reset that the result starts: after the answer, which may be the last. */
  promise(bmc: Bmc, uri: string, type: string): () => void {
    const reset = asked(bmc, uri, type)
    if (stepsOf(uri, reset).length > 0) commit(bmc, { resets: [[uri, reset]] })
    return () => this.start(bmc, uri, type)
  }

  /** After a restart: what was promised or under way goes on. */
  takeUp(bmc: Bmc): void {
    for (const [uri, reset] of bmc.state.resets) {
      if (this.#running(bmc).has(uri)) continue
      if (stepsOf(uri, reset).length > 0) this.#start(bmc, uri, reset)
      else commit(bmc, { resets: [[uri, undefined]] })
    }
  }

  /** Ends the resets of a BMC that is gone. */
  forget(bmc: Bmc): Promise<void> {
    return this.#background.stop(bmc)
  }

  close(): Promise<void> {
    return this.#background.close()
  }

  /** What was promised, or left by an earlier run: it serves all who ask for no more, while nothing has gone on by it. */
  #left(bmc: Bmc, uri: string, type: string): ResetUnderWay | undefined {
    const left = this.#running(bmc).has(uri) ? undefined : bmc.state.resets.get(uri)
    if (left === undefined || (left.boot?.statesReached ?? 0) > 0) return undefined
    const isEnough = beginsAnew(uri, left) && isAtLeast(strengthOf(left.type, left.wasOff), strengthOf(type))
    return isEnough || left.type === type ? left : undefined
  }

  #start(bmc: Bmc, uri: string, reset: ResetUnderWay): void {
    const steps = stepsOf(uri, reset)
    if (steps.length === 0) return
    const running = this.#running(bmc)
    running.get(uri)?.abort(new Error('overtaken by another reset'))
    commit(bmc, { resets: [[uri, reset]] })
    const started = this.#background.start(async (signal) => {
      for (const step of steps) await this.#step({ bmc, uri, reset, signal }, step)
      commit(bmc, { resets: [[uri, undefined]] })
      running.delete(uri)
    }, bmc)
    running.set(uri, started)
  }

  async #step(running: Running, step: Step): Promise<void> {
    const { bmc, uri, reset, signal } = running
    switch (step) {
      case 'shutdown':
        this.#show(bmc, uri, { PowerState: 'PoweringOff' })
        return this.#device(bmc).sleep(bmc.machine.systems.get(uri)?.shutdownMs ?? 0, signal)
      case 'off':
        commit(bmc, {
          ...this.#overlaid(bmc, uri, { PowerState: 'Off', BootProgress: { LastState: 'None' } }),
          resets: [[uri, { ...reset, isDown: true }]],
        })
        return this.#hooks.interrupted(bmc, uri)
      case 'boot':
        return this.#boot(running)
      case 'reboot':
        return this.#reboot(running)
      case 'pause':
        return this.#show(bmc, uri, { PowerState: 'Paused' })
      case 'resume':
        return this.#show(bmc, uri, { PowerState: 'On' })
    }
  }

  /** Of a manager: when it serves Redfish, clients lose it and their sessions meanwhile. */
  async #reboot({ bmc, uri, reset, signal }: Running): Promise<void> {
    const { outage, manager } = bmc.machine
    const serves = uri === manager
    const isNew = reset.boot === undefined
    if (isNew) {
      // Told once, and before the outage begins, which nobody is told of.
      const farewell = { message: message('HeartbeatEvent.RedfishServiceShuttingDown'), origin: uris.root }
      const told = { message: message('ManagerEvent.ManagerReset', uri, reset.type), origin: uri }
      const boot = { leadsToSetup: false, statesReached: 0 }
      commit(bmc, { notices: [told, ...(serves ? [farewell] : [])], resets: [[uri, { ...reset, boot }]] })
    }
    const sessions = [...bmc.state.sessions.keys()].map((id) => [id, undefined] as const)
    const Status = { State: 'Starting', Health: 'OK' }
    const LastResetTime = timestamp(this.#clock.now())
    commit(bmc, {
      ...(serves && { outage: outage.kind, sessions }),
      ...this.#overlaid(bmc, uri, { Status, ...(isNew && { LastResetTime }) }),
    })
    if (isNew) this.#hooks.interrupted(bmc, uri)
    await this.#device(bmc).sleep(outage.bootMs, signal)
    await this.#open(bmc, performed(uri, reset), signal)
    const back = { Status: bmc.machine.resources.get(uri)?.['Status'] }
    const started = { message: message('HeartbeatEvent.RedfishServiceStarted'), origin: uris.root }
    const { components, notices } = booted(bmc, uri)
    commit(bmc, {
      components,
      notices: [...notices, ...(serves ? [started] : [])],
      ...(serves && { outage: undefined }),
      ...noted(bmc, this.#clock.now(), notices),
      ...this.#overlaid(bmc, uri, back),
    })
  }

  async #boot({ bmc, uri, reset, signal }: Running): Promise<void> {
    const bootMs = bmc.machine.systems.get(uri)?.bootMs ?? 0
    const { leadsToSetup, statesReached } = reset.boot ?? this.#powerUp(bmc, uri, reset)
    if (statesReached === 0) {
      // A turn later: what a reset that this one overtook was to bring into use waits again by then, for this one.
      await this.#clock.sleep(0, signal)
      await this.#open(bmc, performed(uri, reset), signal)
    }
    const way = leadsToSetup ? setupSteps : bootSteps
    for (const [index, [share, state]] of [...way.entries()].slice(statesReached)) {
      const passed = way[index - 1]?.[0] ?? 0
      await this.#device(bmc).sleep((share - passed) * bootMs, signal)
      commit(bmc, {
        ...this.#overlaid(bmc, uri, { PowerState: 'On', BootProgress: { LastState: state } }),
        resets: [[uri, { ...reset, boot: { leadsToSetup, statesReached: index + 1 } }]],
      })
    }
  }

  /** The system gets power, and begins anew. */
  #powerUp(bmc: Bmc, uri: string, reset: ResetUnderWay) {
    const boot = { leadsToSetup: bootOverride(bmc, uri) === 'BiosSetup', statesReached: 0 }
    const now = this.#clock.now()
    const powering = { PowerState: 'PoweringOn', BootProgress: { LastState: 'None' } }
    const members = { ...powering, LastResetTime: timestamp(now), ...afterBoot(bmc, uri) }
    // One moment, one change: who sees the boot sees with what settings the machine boots.
    const system = this.#overlaid(bmc, uri, members)
    commit(bmc, {
      overlays: [...system.overlays, ...appliedSettings(bmc, uri, now)],
      resets: [[uri, { ...reset, boot }]],
    })
    this.#hooks.interrupted(bmc, uri)
    return boot
  }

  /** How time passes for its devices. */
  #device(bmc: Bmc): DeviceClock {
    return deviceClock(this.#clock, bmc.machine.speed)
  }

  /** Lets go on what waited for this; a bug in that is told, and keeps nothing from booting. */
  async #open(bmc: Bmc, reset: PerformedReset, signal: AbortSignal): Promise<void> {
    try {
      await this.#hooks.opened(bmc, reset, signal)
    } catch (error) {
      if (!signal.aborted) this.#hooks.failed(error)
    }
    // Overtaken meanwhile: the other reset brings it back.
    signal.throwIfAborted()
  }

  #show(bmc: Bmc, uri: string, members: JsonObject): void {
    commit(bmc, this.#overlaid(bmc, uri, members))
  }

  /** Only members that the machine's resource has: a mockup of an older schema version stays true to it. */
  #overlaid(bmc: Bmc, uri: string, members: JsonObject): { readonly overlays: Entries<JsonObject> } {
    const original = bmc.machine.resources.get(uri) ?? {}
    const known = Object.entries(members).filter(([name]) => name in original)
    return { overlays: [[uri, { ...bmc.state.overlays.get(uri), ...Object.fromEntries(known) }]] }
  }
}

/** What a resource goes through by a reset of this type; `undefined`: it does not begin anew by it. */
export function renewalBy(bmc: Bmc, uri: string, type: string): PerformedReset | undefined {
  const reset = asked(bmc, uri, type)
  return beginsAnew(uri, reset) ? performed(uri, reset) : undefined
}

function beginsAnew(uri: string, reset: ResetUnderWay): boolean {
  return stepsOf(uri, reset).some((step) => step === 'boot' || step === 'reboot')
}

/** A reset that nothing is known of but that it is wanted. */
function asked(bmc: Bmc, uri: string, type: string): ResetUnderWay {
  return { type, wasOff: isSystem(uri) && machineMember(bmc, uri, 'PowerState') === 'Off' }
}

function performed(resource: string, { type, wasOff }: ResetUnderWay): PerformedReset {
  return { resource, strength: strengthOf(type, wasOff) }
}
