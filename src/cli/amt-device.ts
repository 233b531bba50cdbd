import { type Command, InvalidArgumentError, Option } from 'commander'
import { readFile } from 'node:fs/promises'
import type { HttpsBoot } from '../devices/amt/simulated/boot-options.ts'
import type { ConsentPolicy } from '../devices/amt/simulated/consent.ts'
import type { MachineOptions, MachineTimes } from '../devices/amt/simulated/machine.ts'
import type { MachineAt } from '../devices/amt/simulated/start-machines.ts'
import { type Fault, faults, isFault, type Target } from '../devices/amt/simulated/update.ts'
import type { KeyPair } from '../http/certificate.ts'
import { addressAt, portAt } from '../http/reach.ts'
import { type Speed, systemClock } from '../lib/clock.ts'
import type { Finish, Terminal } from './terminal.ts'

interface AmtDeviceOptions {
  readonly count: number
  readonly by: 'address' | 'port'
  readonly address: string
  readonly port: number
  readonly tlsPort: number
  readonly user: string
  readonly password?: string
  readonly bios: string
  readonly csme: string
  readonly recovery: string
  readonly off?: true
  readonly httpsBoot: HttpsBoot
  readonly consent: ConsentPolicy
  readonly trust?: string
  readonly allowHttp?: true
  readonly softwareId: Readonly<Partial<Record<Target, string>>>
  readonly fault: readonly PlannedFault[]
  readonly speed: Speed
  readonly nonceLifetime: number
}

/** What goes wrong with one of the machines, or with all of them. */
interface PlannedFault {
  readonly place: number | undefined
  readonly fault: Fault
}

const MAX_COUNT = 10_000
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/
const LOOPBACK = '127.0.0.1'

/** `redflash amt-device`: computers with Intel AMT, each at an address or a port of its own. */
export function addAmtDeviceCommand(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('amt-device')
    .description('simulate computers with Intel AMT, which are updated by a boot from a server')
    .option('--count <number>', 'how many there are', wholeNumber(MAX_COUNT, 1), 1)
    .addOption(
      new Option('--by <what>', 'what tells them apart').choices(['address', 'port']).default('address'),
    )
    .option('--address <ip>', 'of the first one; the next has the next', parsedAddress, '127.2.0.1')
    .option('--port <number>', 'for HTTP; 0 for any', wholeNumber(65_535), 16_992)
    .option('--tls-port <number>', 'for HTTPS; 0 for any', wholeNumber(65_535), 16_993)
    .option('--user <name>', 'who may ask them', 'admin')
    .option('--password <password>', 'the password (default: REDFLASH_AMT_PASSWORD, or redflash)')
    .option('--bios <version>', 'the BIOS that they have when they are new', '1.4.0')
    .option('--csme <version>', 'the CSME, with AMT, likewise', '16.1.25.1932')
    .option('--recovery <version>', 'the recovery firmware of the CSME', '16.0.15.1620')
    .option('--off', 'they are off')
    .addOption(
      new Option('--https-boot <state>', 'whether they boot by HTTPS (One-Click Recovery)')
        .choices(['enabled', 'disabled', 'absent'] satisfies HttpsBoot[])
        .default('enabled'),
    )
    .addOption(
      new Option('--consent <what>', 'for what their users have to consent')
        .choices(['none', 'kvm', 'all'] satisfies ConsentPolicy[])
        .default('none'),
    )
    .option(
      '--trust <file>',
      'certificates (PEM) that their BIOSes trust, instead of those that everybody does',
    )
    .option('--allow-http', 'they boot by HTTP, too, from this machine')
    .option(
      '--software-id <target=id>',
      'what images name their bios, or their csme, by',
      parsedSoftwareId,
      {},
    )
    .addOption(
      new Option(
        '--fault <what>',
        `what goes wrong, or N=WHAT for the Nth: ${Object.keys(faults).join(', ')}`,
      )
        .argParser(parsedFault)
        .default([], 'nothing'),
    )
    .option('--speed <factor>', 'how much faster than real ones they are, or max', parsedSpeed, 1)
    .option('--nonce-lifetime <seconds>', 'how long a nonce may be used', wholeNumber(86_400), 300)
    .action(async (options: AmtDeviceOptions) => {
      await run(terminal, options)
      finish(0)
    })
}

async function run({ out, environment, stopped }: Terminal, options: AmtDeviceOptions): Promise<void> {
  // Loaded here: no other command needs servers of WS-Management.
  const { startMachines } = await import('../devices/amt/simulated/start-machines.ts')
  const { createBootFetcher } = await import('../devices/amt/simulated/boot-fetcher.ts')
  const { count, user, bios, csme, trust, allowHttp = false } = options
  const fetcher = createBootFetcher({
    ca: trust === undefined ? undefined : [await readFile(trust, 'utf8')],
    allowHttp,
  })
  const account = {
    userName: user,
    password: options.password ?? environment['REDFLASH_AMT_PASSWORD'] ?? 'redflash',
  }
  const hosts = Array.from({ length: count }, (_, place) => hostAt(options, place))
  const at = await machineAt(options, { hosts, fetcher, account, show: (line) => out.write(`${line}\n`) })
  const machines = await startMachines(count, at)
  try {
    const ends = [machines.machines[0], count > 1 ? machines.machines.at(-1) : undefined]
    const urls = ends.map((one) => one && [one.url, one.httpsUrl].join(' and '))
    const ids = softwareIds(options)
    out.write(`${count} with Intel AMT at ${urls.filter((one) => one !== undefined).join(', up to ')}\n`)
    out.write(`user ${user}, BIOS ${bios}, CSME ${csme}\n`)
    out.write(`images name the BIOS by ${ids.bios.join(' or ')}, the CSME by ${ids.csme.join(' or ')}\n`)
    await stopped()
  } finally {
    await machines.close()
    await fetcher.close()
  }
}

interface Shared extends Pick<MachineOptions, 'fetcher' | 'show'> {
  readonly hosts: readonly string[]
  readonly account: { readonly userName: string; readonly password: string }
}

/** What each of the machines is like. */
async function machineAt(options: AmtDeviceOptions, shared: Shared): Promise<MachineAt> {
  const { identityAt } = await import('../devices/amt/simulated/start-machines.ts')
  const { ordinaryTimes } = await import('../devices/amt/simulated/machine.ts')
  const { imageReader } = await import('./amt-image.ts')
  const { issueCertificate, makeAuthority } = await import('../http/certificate.ts')
  const { by, port, tlsPort, bios, csme, recovery, httpsBoot, consent, fault, nonceLifetime } = options
  const { hosts, fetcher, account, show } = shared
  const clock = systemClock
  const authority = await makeAuthority(clock)
  const keyPairs = new Map<string, KeyPair>()
  for (const host of new Set(hosts)) keyPairs.set(host, await issueCertificate(authority, [host], clock))
  const readImage = imageReader(clock)
  const portOf = (first: number, place: number) => (by === 'address' ? first : portAt(first, place))
  return (place) => {
    const host = hosts[place] ?? LOOPBACK
    const planned = fault.filter((one) => one.place === undefined || one.place === place)
    return {
      machine: {
        clock,
        identity: identityAt(place),
        versions: { bios, csme, recovery, biosReleased: clock.now() },
        times: hastened(ordinaryTimes, options.speed),
        isOn: options.off !== true,
        httpsBoot,
        consent,
        show: (line) => show(`${by === 'address' ? host : `machine ${place + 1}`}: ${line}`),
        fetcher,
        readImage,
        softwareIds: softwareIds(options),
        faults: new Set(planned.map((one) => one.fault)),
      },
      server: {
        clock,
        host,
        port: portOf(port, place),
        tlsPort: portOf(tlsPort, place),
        keyPair: keyPairs.get(host),
        account,
        nonceLifetimeMs: nonceLifetime * 1_000,
      },
    }
  }
}

function hostAt({ by, address }: AmtDeviceOptions, place: number): string {
  return by === 'address' ? addressAt(address, place) : LOOPBACK
}

function softwareIds({ softwareId: given }: AmtDeviceOptions): Record<Target, readonly string[]> {
  const ids = (target: Target, ...usual: readonly string[]) => [given[target] ?? [], usual].flat()
  // By SoftwareId, and by classification and identifier in a PLDM package.
  return { bios: ids('bios', 'BIOS-Virtual-vPro', '11.1'), csme: ids('csme', 'Intel-CSME', '10.2') }
}

function hastened(times: MachineTimes, factor: Speed): MachineTimes {
  const divisor = factor === 'max' ? Infinity : factor
  return {
    postMs: times.postMs / divisor,
    bootMs: times.bootMs / divisor,
    shutdownMs: times.shutdownMs / divisor,
    csmeRestartMs: times.csmeRestartMs / divisor,
    verifyMs: times.verifyMs / divisor,
    installMs: times.installMs / divisor,
  }
}

function parsedFault(text: string, before: readonly PlannedFault[]): readonly PlannedFault[] {
  const [, number, name = ''] = /^(?:(\d{1,5})=)?(.+)$/.exec(text) ?? []
  if (!isFault(name)) throw new InvalidArgumentError(`Write one of ${Object.keys(faults).join(', ')}.`)
  return [...before, { place: number === undefined ? undefined : Number(number) - 1, fault: name }]
}

function parsedSoftwareId(
  text: string,
  before: AmtDeviceOptions['softwareId'],
): AmtDeviceOptions['softwareId'] {
  const [, target, id] = /^(bios|csme)=(.+)$/.exec(text) ?? []
  if (target === undefined) throw new InvalidArgumentError('Write bios=ID or csme=ID.')
  return { ...before, [target]: id }
}

function parsedSpeed(text: string): Speed {
  if (text === 'max') return text
  if (!(Number(text) > 0)) throw new InvalidArgumentError('Write a number above 0, or max.')
  return Number(text)
}

function parsedAddress(text: string): string {
  if (!IPV4.test(text)) throw new InvalidArgumentError('Write an IPv4 address.')
  return text
}

function wholeNumber(most: number, least = 0): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!/^\d{1,10}$/.test(text) || number > most || number < least)
      throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`)
    return number
  }
}
