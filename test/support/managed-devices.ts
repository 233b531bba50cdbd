import type { Method } from '../../src/console/method.ts'
import type {
  Abilities,
  DeviceAdapter,
  DeviceAddress,
  DeviceFacts,
  DeviceProblem,
  DeviceRecord,
  OnDevice,
} from '../../src/devices/device.ts'
import type { ActivationJob, FlashProblem, FlashResult } from '../../src/devices/flasher.ts'
import { unlessAborted } from '../../src/lib/abort.ts'
import { fail, type Result, succeed } from '../../src/lib/result.ts'

export const DEVICE_PASSWORD = 'of-the-device'

/** A device that does at once what it is asked for. */
export interface LabDevice {
  facts: DeviceFacts
  isUp: boolean
  /** What each stage is to end with, where it is not well. */
  readonly problems: Partial<Record<'transfer' | 'verify' | 'install' | 'activate', FlashProblem>>
  /** What happens while it is busy with a stage. */
  during?: (stage: string) => Promise<void>
  /** What it does when it is to run another version, where that is not simply done. */
  activates?: (version: string) => void
  /** Told when what it has taken and not installed is to be forgotten. */
  released?: () => void
  /** What it answers when it is asked for what others cannot do. */
  refuses?: DeviceProblem
  records?: readonly DeviceRecord[]
  /** What it was asked for, in order. */
  readonly asked: string[]
}

/** A device with a manager and a BIOS. */
export function labDevice(name: string, facts: Partial<DeviceFacts> = {}): LabDevice {
  return {
    facts: {
      name,
      manufacturer: 'Lab',
      model: 'Lab 1',
      serialNumber: `SN-${name}`,
      uuid: '6f2e9c3a-1b7d-4c58-9a3e-0d5f1e2a4b6c',
      power: 'On',
      resetTypes: ['On', 'ForceOff', 'ForceRestart'],
      managerResetTypes: ['ForceRestart'],
      firmware: [
        { id: 'BMC', name: 'BMC', version: '1.0.0', softwareId: 'lab-bmc', updateable: true, of: 'manager' },
        {
          id: 'BIOS',
          name: 'BIOS',
          version: '1.0.0',
          softwareId: 'lab-bios',
          updateable: true,
          of: 'system',
        },
      ],
      ...facts,
    },
    isUp: true,
    problems: {},
    asked: [],
  }
}

/** Reaches the devices of a lab by their names. */
export function labMethod(devices: Readonly<Record<string, LabDevice>>): Method {
  const open = (hostName: string, password = DEVICE_PASSWORD): Result<LabDevice, DeviceProblem> => {
    const device = devices[hostName]
    if (device?.isUp !== true) return fail({ kind: 'unreachable', detail: hostName })
    return password === DEVICE_PASSWORD ? succeed(device) : fail({ kind: 'unauthorized', detail: '401' })
  }
  const stage =
    (name: keyof LabDevice['problems']) =>
    async (job: ActivationJob & OnDevice): Promise<FlashResult> => {
      job.signal.throwIfAborted()
      const opened = open(job.device.hostName)
      if (!opened.ok) return fail({ kind: 'failed' })
      const device = opened.value
      device.asked.push(`${name} ${job.firmware.id}`)
      await unlessAborted(device.during?.(name) ?? Promise.resolve(), job.signal)
      const problem = device.problems[name]
      if (problem !== undefined) return fail(problem)
      const { activates = (version) => runs(device, job.firmware.id, version) } = device
      if (name === 'activate' && job.version !== '') activates(job.version)
      job.progress(1)
      const version = device.facts.firmware.find(({ id }) => id === job.firmware.id)?.version ?? ''
      return succeed(name === 'activate' ? { version } : undefined)
    }
  const adapter: DeviceAdapter = {
    look: async ({ hostName, password }) => {
      const opened = open(hostName, password)
      return opened.ok ? succeed(opened.value.facts) : opened
    },
    reset: async ({ hostName }, { of, type }) => {
      const opened = open(hostName)
      if (!opened.ok) return opened
      opened.value.asked.push(`${type} ${of}`)
      if (of === 'system')
        opened.value.facts = { ...opened.value.facts, power: type === 'ForceOff' ? 'Off' : 'On' }
      return succeed(undefined)
    },
    transfer: stage('transfer'),
    verify: stage('verify'),
    install: stage('install'),
    activate: stage('activate'),
    release: ({ device }) => devices[device.hostName]?.released?.(),
    close: async () => {},
    abilities: labAbilities(open),
  }
  return { id: 'Lab', type: 'OEM', variant: 'Lab', adapter }
}

/** What those of its devices can whose facts say so. */
function labAbilities(open: (hostName: string) => Result<LabDevice, DeviceProblem>): Abilities {
  const ask = async ({ hostName }: DeviceAddress, wish: string): Promise<Result<void, DeviceProblem>> => {
    const opened = open(hostName)
    if (!opened.ok) return opened
    await opened.value.during?.(wish)
    opened.value.asked.push(wish)
    return opened.value.refuses === undefined ? succeed(undefined) : fail(opened.value.refuses)
  }
  return {
    askConsent: (device) => ask(device, 'ask consent'),
    giveConsent: (device, code) => ask(device, `consent ${code}`),
    wakeAt: (device, time) => ask(device, `wake ${new Date(time).toISOString()}`),
    cancelWake: (device, time) => ask(device, `wake not ${new Date(time).toISOString()}`),
    readLog: async (device) => {
      const asked = await ask(device, 'read log')
      if (!asked.ok) return asked
      const opened = open(device.hostName)
      return opened.ok ? succeed(opened.value.records ?? []) : opened
    },
  }
}

/** Another version runs on it from now on. */
export function runs(device: LabDevice, id: string, version: string): void {
  const firmware = device.facts.firmware.map((one) => (one.id === id ? { ...one, version } : one))
  device.facts = { ...device.facts, firmware }
}
