import { type Clock, millisecondsOf } from '../../../lib/clock.ts'
import { type PowerRequest, requests } from '../power-states.ts'
import { biosStatuses } from '../wsman.ts'
import { AlarmClock } from './alarm-clock.ts'
import { type Asker, AuditLog, itself } from './audit-log.ts'
import { BootOptions, type HttpsBoot, type NetworkBoot } from './boot-options.ts'
import { Consent, type ConsentPolicy } from './consent.ts'
import { type Versions, versionBytes } from './firmware.ts'
import { fetchFirmware, type Installable, type InstallOptions, type InstallTimes } from './update.ts'

/** Who a machine is. */
export interface MachineIdentity {
  readonly uuid: string
  readonly manufacturer: string
  readonly model: string
  readonly serialNumber: string
}

/** How long a machine takes for what it does. */
export interface MachineTimes extends InstallTimes {
  /** From power to where it boots from something. */
  readonly postMs: number
  /** From there to a system that runs. */
  readonly bootMs: number
  readonly shutdownMs: number
  /** AMT does not answer while the CSME starts with new firmware. */
  readonly csmeRestartMs: number
}

export const ordinaryTimes: MachineTimes = {
  postMs: 8_000,
  bootMs: 20_000,
  shutdownMs: 5_000,
  csmeRestartMs: 10_000,
  verifyMs: 3_000,
  installMs: 20_000,
}

export interface MachineOptions extends Omit<InstallOptions, 'times'> {
  readonly clock: Clock
  readonly identity: MachineIdentity
  readonly versions: Versions
  readonly times: MachineTimes
  readonly isOn: boolean
  readonly httpsBoot: HttpsBoot
  readonly consent: ConsentPolicy
  /** Shows whoever sits before it a line. */
  readonly show: (line: string) => void
}

/** What RequestPowerStateChange returns (CIM_PowerManagementService; what is not possible now is "not ready"). */
export const powerReturns = { success: 0, notReady: 2, invalidParameter: 5 } as const

type Power = typeof requests.on | typeof requests.sleep | typeof requests.hibernate | typeof requests.off

const sleeping: readonly PowerRequest[] = [requests.on, requests.cycle, requests.off, requests.reset]
const running: readonly PowerRequest[] = [
  requests.reset,
  requests.off,
  requests.cycle,
  requests.sleep,
  requests.hibernate,
  requests.softReset,
  requests.softOff,
]
/** Nobody is there who could be asked to stop. */
const starting: readonly PowerRequest[] = [requests.reset, requests.off, requests.cycle]

const auditedAs = {
  [requests.on]: 'powerUp',
  [requests.off]: 'powerDown',
  [requests.cycle]: 'powerCycle',
  [requests.reset]: 'reset',
  [requests.softOff]: 'gracefulPowerDown',
  [requests.softReset]: 'gracefulReset',
  [requests.sleep]: 'standby',
  [requests.hibernate]: 'hibernate',
} as const
type Performed = keyof typeof auditedAs

const nothing = async (): Promise<void> => {}

/** A computer with Intel AMT: its power, its firmware, and the boot that brings other firmware. */
export class AmtMachine {
  readonly options: MachineOptions
  readonly auditLog: AuditLog
  readonly consent: Consent
  readonly alarmClock: AlarmClock
  readonly boot: BootOptions
  #versions: Versions
  #power: Power
  #hasSystem: boolean
  #isReachable = true
  #biosStatus: readonly [general: number, detail: number] = [biosStatuses.notUpdated, 0]
  /** Aborted when it loses power, or begins anew. */
  #life = new AbortController()
  #lastLife: Promise<void> = Promise.resolve()

  constructor(options: MachineOptions) {
    const { clock, consent: policy, show, isOn, versions, httpsBoot } = options
    this.options = options
    this.#versions = versions
    this.#power = isOn ? requests.on : requests.off
    this.#hasSystem = isOn
    this.auditLog = new AuditLog(clock)
    this.boot = new BootOptions(httpsBoot)
    const ended = (): void => this.boot.clear()
    this.consent = new Consent({ clock, policy, show, auditLog: this.auditLog, ended })
    this.alarmClock = new AlarmClock(clock, () => this.#wake())
  }

  get versions(): Versions {
    return this.#versions
  }

  /** CIM_AssociatedPowerManagementService.PowerState */
  get power(): number {
    return this.#power
  }

  /** Whether AMT answers. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** AMT_BootSettingData.BIOSLastStatus */
  get biosStatus(): readonly [general: number, detail: number] {
    return this.#biosStatus
  }

  /** What it can be asked for now (AvailableRequestedPowerStates). */
  get available(): readonly PowerRequest[] {
    if (this.#power === requests.off) return [requests.on]
    if (this.#power !== requests.on) return sleeping
    return this.#hasSystem ? running : starting
  }

  /** CIM_PowerManagementService.RequestPowerStateChange */
  request(state: number, asker: Asker): number {
    if (!Object.values<number>(requests).includes(state)) return powerReturns.invalidParameter
    const asked = this.available.find(
      (one): one is Performed & PowerRequest => one === state && one in auditedAs,
    )
    if (asked === undefined) return powerReturns.notReady
    this.auditLog.add(auditedAs[asked], asker)
    this.#perform(asked)
    return powerReturns.success
  }

  /** Ends what goes on. */
  async close(): Promise<void> {
    this.alarmClock.clear()
    this.consent.end()
    this.#life.abort(new Error('the machine is switched off'))
    await this.#lastLife
  }

  #perform(asked: Performed): void {
    switch (asked) {
      case requests.on: {
        // What slept goes on; only what was off boots.
        const wasOff = this.#power === requests.off
        this.#become(requests.on, !wasOff)
        return this.#begin(wasOff ? (signal) => this.#start(signal) : nothing)
      }
      case requests.off:
        this.#become(requests.off, false)
        return this.#begin(nothing)
      case requests.cycle:
      case requests.reset:
        this.#become(requests.on, false)
        return this.#begin((signal) => this.#start(signal))
      case requests.softReset:
        this.#become(requests.on, false)
        return this.#begin((signal) => this.#stop(signal).then(() => this.#start(signal)))
      case requests.softOff:
      case requests.sleep:
      case requests.hibernate: {
        const after = asked === requests.softOff ? requests.off : asked
        this.#become(requests.on, false)
        return this.#begin((signal) => this.#stop(signal).then(() => this.#become(after, false)))
      }
    }
  }

  /** Whatever went on ends, and this begins. */
  #begin(live: (signal: AbortSignal) => Promise<void>): void {
    this.#life.abort(new Error('the machine begins anew'))
    const life = new AbortController()
    this.#life = life
    const before = this.#lastLife
    const run = async (): Promise<void> => {
      await before
      if (life.signal.aborted) return
      await live(life.signal).catch((error: unknown) => {
        if (!life.signal.aborted) throw error
      })
    }
    this.#lastLife = run()
  }

  #become(power: Power, hasSystem: boolean): void {
    this.#power = power
    this.#hasSystem = hasSystem
  }

  #wake(): void {
    if (this.#power === requests.on) return
    this.auditLog.add('powerUp', itself)
    this.#perform(requests.on)
  }

  #stop(signal: AbortSignal): Promise<void> {
    const { clock, times } = this.options
    return clock.sleep(times.shutdownMs, signal)
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { clock, times } = this.options
    await clock.sleep(times.postMs, signal)
    const network = this.boot.take()
    this.consent.end()
    if (network !== undefined) await this.#bootFrom(network, signal)
    await clock.sleep(times.bootMs, signal)
    this.#hasSystem = true
  }

  /** Boots what a server has, which is an image that installs itself. */
  async #bootFrom(network: NetworkBoot, signal: AbortSignal): Promise<void> {
    const { clock, times, show } = this.options
    this.#biosStatus = [biosStatuses.inProgress, 0]
    show(`boots from ${new URL(network.url).origin}`)
    const found = await fetchFirmware(network, this.options, signal)
    if (!found.ok) {
      show(`the image is not used: ${found.problem}`)
      this.#biosStatus = [biosStatuses.failed, 1]
      return
    }
    for (const one of found.value) await this.#install(one, signal)
    await clock.sleep(times.postMs, signal)
    this.#biosStatus = [biosStatuses.success, 0]
  }

  async #install(image: Installable, signal: AbortSignal): Promise<void> {
    const { clock, times, show, faults } = this.options
    show(`installs ${image.target} ${image.version}`)
    if (faults.has('hang')) await clock.sleep(Infinity, signal)
    if (image.target === 'csme') return this.#installCsme(image, signal)
    await clock.sleep(times.installMs, signal)
    if (faults.has('bios')) return
    const released = image.releaseDate === undefined ? clock.now() : millisecondsOf(image.releaseDate)
    this.#versions = { ...this.#versions, bios: image.version, biosReleased: released }
  }

  async #installCsme({ version }: Installable, signal: AbortSignal): Promise<void> {
    const { clock, times, faults } = this.options
    const before = this.#versions.csme
    this.auditLog.add('updateStarted', itself, Buffer.concat([versionBytes(before), versionBytes(version)]))
    let isWhole = false
    try {
      await clock.sleep(times.installMs, signal)
      isWhole = !faults.has('csme')
    } finally {
      // What is written in part, as by a loss of power, does not run either.
      this.#versions = { ...this.#versions, csme: isWhole ? version : this.#versions.recovery }
      if (!isWhole) this.auditLog.add('updateFailed', itself, versionBytes(version))
    }
    this.#isReachable = false
    try {
      await clock.sleep(times.csmeRestartMs, signal)
    } finally {
      this.#isReachable = true
    }
  }
}
