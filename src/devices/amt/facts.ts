import type { DeviceFacts, FirmwareFacts } from '../device.ts'
import { readWakeTimes } from './alarms.ts'
import { first, type Management, type Properties } from './management.ts'
import { resetTypes, RUNS } from './power-states.ts'

/** What a device's pieces of firmware are called here. */
export const firmwareIds = { bios: 'BIOS', csme: 'CSME', recovery: 'CSME-Recovery' } as const

/** Versions that run on a device. */
export interface RunningVersions {
  readonly bios: string | undefined
  readonly csme: string | undefined
  readonly recovery: string | undefined
}

/** The power that a system has, and what it can be asked for now. */
export interface PowerFacts {
  readonly state: number
  readonly available: readonly number[]
}

/** Who a device is and what runs on it. */
export async function readFacts(management: Management): Promise<DeviceFacts> {
  const { cim } = management
  const versions = await readVersions(management)
  const power = await readPower(management)
  const wakeTimes = await readWakeTimes(management)
  const chassis = await management.instance(cim.Chassis.Get())
  const card = await management.instance(cim.Card.Get())
  const system = await management.instance(cim.ComputerSystemPackage.Get())
  const told = (name: string): string | undefined => first(chassis, name) ?? first(card, name)
  const model = told('Model')
  return {
    name: model ?? 'Intel AMT device',
    manufacturer: told('Manufacturer'),
    model,
    serialNumber: told('SerialNumber'),
    uuid: uuidOf(first(system, 'PlatformGUID')),
    power: power.state === RUNS ? 'On' : 'Off',
    resetTypes: [...resetTypes.keys()],
    // AMT itself goes on whatever becomes of the system.
    managerResetTypes: [],
    abilities: ['consent', ...(wakeTimes ? (['wake'] as const) : []), 'log'],
    ...(wakeTimes && { wakeTimes }),
    firmware: firmwareOf(versions, model),
  }
}

/** Its versions, all of which are told together. */
export async function readVersions(management: Management): Promise<RunningVersions> {
  const { cim } = management
  const identities = await management.all(cim.SoftwareIdentity)
  const bios = await management.instance(cim.BIOSElement.Get())
  const versionOf = (id: string): string | undefined => {
    const found = identities.find((one) => first(one, 'InstanceID') === id)
    return found && first(found, 'VersionString')
  }
  const whole = (numbers: string | undefined, build: string | undefined): string | undefined =>
    numbers === undefined || build === undefined ? numbers : `${numbers}.${build}`
  return {
    bios: first(bios, 'Version'),
    csme: whole(versionOf('AMT'), versionOf('Build Number')),
    recovery: whole(versionOf('Recovery Version'), versionOf('Recovery Build Num')),
  }
}

/** The power of its system. */
export async function readPower(management: Management): Promise<PowerFacts> {
  const services = await management.all(management.cim.ServiceAvailableToElement)
  const service = services.find((one) => one.has('PowerState')) ?? (new Map() satisfies Properties)
  return {
    state: Number(first(service, 'PowerState') ?? 0),
    available: (service.get('AvailableRequestedPowerStates') ?? []).map(Number),
  }
}

/** Whether its system runs. */
export async function isOn(management: Management): Promise<boolean> {
  return (await readPower(management)).state === RUNS
}

/** SMBIOS has the first three fields of a UUID with their lowest byte first. */
function uuidOf(guid: string | undefined): string | undefined {
  const bytes = guid
    ?.toLowerCase()
    .match(/^[0-9a-f]{32}$/)?.[0]
    .match(/../g)
  if (bytes === undefined || bytes === null) return undefined
  const field = (from: number, to: number): string => bytes.slice(from, to).join('')
  const swapped = (from: number, to: number): string => bytes.slice(from, to).toReversed().join('')
  return [swapped(0, 4), swapped(4, 6), swapped(6, 8), field(8, 10), field(10, 16)].join('-')
}

function firmwareOf({ bios, csme, recovery }: RunningVersions, model: string | undefined): FirmwareFacts[] {
  // AMT does not say what images name its firmware by: the BIOS is its model's, the CSME is Intel's.
  const board = (model ?? 'unknown').replaceAll(/[^A-Za-z0-9]+/g, '-')
  const all = [
    { id: firmwareIds.bios, name: 'BIOS', version: bios, of: 'system', softwareId: `BIOS-${board}` },
    {
      id: firmwareIds.csme,
      name: 'Intel AMT (CSME)',
      version: csme,
      of: 'manager',
      softwareId: 'Intel-CSME',
    },
    { id: firmwareIds.recovery, name: 'Intel CSME Recovery', version: recovery, of: 'manager' },
  ] as const
  return all.flatMap(({ version, ...one }) =>
    version === undefined ? [] : [{ ...one, version, updateable: 'softwareId' in one }],
  )
}
