import { Background } from '../lib/background.ts'
import { type Clock, type DeviceClock, timestamp } from '../lib/clock.ts'
import { message } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { booted } from './banks.ts'
import { appliedSettings } from './bios.ts'
import { type Bmc, machineMember } from './bmc.ts'
import { afterBoot, bootOverride } from './boot-override.ts'
import { commit } from './commit.ts'
import { noted } from './log.ts'
import { type PerformedReset, strengthOf } from './reset-types.ts'
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

type Power = 'boot' | 'shutdown' | 'off' | 'pause' | 'resume'

/** What each ResetType (Resource v1_23) does: steps for a system that runs, and for one that is off. */
const resetTypes: Readonly<
  Record<string, { readonly on: readonly Power[]; readonly off: readonly Power[] }>
> = {
  On: { on: [], off: ['boot'] },
  ForceOn: { on: [], off: ['boot'] },
  ForceOff: { on: ['off'], off: [] },
  GracefulShutdown: { on: ['shutdown', 'off'], off: [] },
  GracefulRestart: { on: ['shutdown', 'boot'], off: ['boot'] },
  ForceRestart: { on: ['boot'], off: ['boot'] },
  PowerCycle: { on: ['off', 'boot'], off: ['boot'] },
  FullPowerCycle: { on: ['off', 'boot'], off: ['boot'] },
  PushPowerButton: { on: ['shutdown', 'off'], off: ['boot'] },
  // Seen by nobody outside; above all it must not end a boot that is under way.
  Nmi: { on: [], off: [] },
  Suspend: { on: ['pause'], off: [] },
  Pause: { on: ['pause'], off: [] },
  Resume: { on: ['resume'], off: [] },
}

/** BootProgress.LastState on the way up, each with the share of the boot time that has passed when it is reached. */
const bootSteps = [
  [0, 'PrimaryProcessorInitializationStarted'],
  [0.1, 'MemoryInitializationStarted'],
  [0.3, 'PCIResourceConfigStarted'],
  [0.5, 'SystemHardwareInitializationComplete'],
  [0.6, 'OSBootStarted'],
  [1, 'OSRunning'],
] as const

/** The way up ends in the setup menu where the boot override leads there. */
const setupSteps = [...bootSteps.slice(0, -2), [0.6, 'SetupEntered']] as const

/** Carries out resets by the clock: power follows, what waited is opened, the serving manager is away meanwhile. */
export class Resets {
  readonly #clock: Clock
  readonly #device: DeviceClock
  readonly #hooks: ResetHooks
  readonly #background: Background
  readonly #running = ofEach<Bmc, Map<string, AbortController>>(() => new Map())

  constructor(clock: Clock, device: DeviceClock, hooks: ResetHooks) {
    this.#clock = clock
    this.#device = device
    this.#hooks = hooks
    this.#background = new Background(hooks.failed)
  }

  /** Starts the reset of a ComputerSystem or a Manager. */
  start(bmc: Bmc, uri: string, type: string): void {
    if (uri.startsWith(`${uris.systems}/`)) this.startSystemReset(bmc, uri, type)
    else this.startManagerReset(bmc, uri, type)
  }

  /** Starts the reset of a ComputerSystem; one that is under way gives way to it. */
  startSystemReset(bmc: Bmc, uri: string, type: string): void {
    const isOff = machineMember(bmc, uri, 'PowerState') === 'Off'
    const steps = resetTypes[type]?.[isOff ? 'off' : 'on'] ?? []
    if (steps.length === 0) return
    const reset = { resource: uri, strength: strengthOf(type, isOff) }
    this.#start(bmc, uri, async (signal) => {
      for (const step of steps) await this.#powerStep(bmc, reset, step, signal)
    })
  }

  /** Starts the reset of a Manager; when it serves Redfish, clients lose it and their sessions meanwhile. */
  startManagerReset(bmc: Bmc, uri: string, type: string): void {
    this.#start(bmc, uri, async (signal) => {
      const { outage, manager } = bmc.machine
      const serves = uri === manager
      // Told before the outage begins, which nobody is told of.
      const farewell = { message: message('HeartbeatEvent.RedfishServiceShuttingDown'), origin: uris.root }
      const told = { message: message('ManagerEvent.ManagerReset', uri, type), origin: uri }
      commit(bmc, { notices: [told, ...(serves ? [farewell] : [])] })
      const sessions = [...bmc.state.sessions.keys()].map((id) => [id, undefined] as const)
      const status = { State: 'Starting', Health: 'OK' }
      commit(bmc, {
        ...(serves && { outage: outage.kind, sessions }),
        ...this.#overlaid(bmc, uri, { Status: status, LastResetTime: timestamp(this.#clock.now()) }),
      })
      this.#hooks.interrupted(bmc, uri)
      await this.#device.sleep(outage.bootMs, signal)
      await this.#open(bmc, { resource: uri, strength: strengthOf(type) }, signal)
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
    })
  }

  close(): Promise<void> {
    return this.#background.close()
  }

  #start(bmc: Bmc, uri: string, work: (signal: AbortSignal) => Promise<void>): void {
    const running = this.#running(bmc)
    running.get(uri)?.abort(new Error('overtaken by another reset'))
    running.set(uri, this.#background.start(work))
  }

  async #powerStep(bmc: Bmc, reset: PerformedReset, step: Power, signal: AbortSignal): Promise<void> {
    const uri = reset.resource
    switch (step) {
      case 'shutdown':
        this.#show(bmc, uri, { PowerState: 'PoweringOff' })
        return this.#device.sleep(bmc.machine.systems.get(uri)?.shutdownMs ?? 0, signal)
      case 'off':
        this.#show(bmc, uri, { PowerState: 'Off', BootProgress: { LastState: 'None' } })
        return this.#hooks.interrupted(bmc, uri)
      case 'boot':
        return this.#boot(bmc, reset, signal)
      case 'pause':
        return this.#show(bmc, uri, { PowerState: 'Paused' })
      case 'resume':
        return this.#show(bmc, uri, { PowerState: 'On' })
    }
  }

  async #boot(bmc: Bmc, reset: PerformedReset, signal: AbortSignal): Promise<void> {
    const uri = reset.resource
    const bootMs = bmc.machine.systems.get(uri)?.bootMs ?? 0
    const override = bootOverride(bmc, uri)
    const now = this.#clock.now()
    const powering = { PowerState: 'PoweringOn', BootProgress: { LastState: 'None' } }
    const members = { ...powering, LastResetTime: timestamp(now), ...afterBoot(bmc, uri) }
    // One moment, one change: who sees the boot sees with what settings the machine boots.
    const system = this.#overlaid(bmc, uri, members)
    commit(bmc, { overlays: [...system.overlays, ...appliedSettings(bmc, uri, now)] })
    this.#hooks.interrupted(bmc, uri)
    // A turn later: what a reset that this one overtook was to bring into use waits again by then, for this one.
    await this.#clock.sleep(0, signal)
    await this.#open(bmc, reset, signal)
    let passed = 0
    for (const [share, state] of override === 'BiosSetup' ? setupSteps : bootSteps) {
      await this.#device.sleep((share - passed) * bootMs, signal)
      passed = share
      this.#show(bmc, uri, { PowerState: 'On', BootProgress: { LastState: state } })
    }
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
