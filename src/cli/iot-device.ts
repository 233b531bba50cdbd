import { type Command, InvalidArgumentError, Option } from 'commander'
import { readFile } from 'node:fs/promises'
import type { AgentsOptions } from '../devices/mqtt/agent/agents.ts'
import { allQuirks, type Failure, failures, type Quirk, quirks } from '../devices/mqtt/agent/traits.ts'
import type { BrokerTrust } from '../devices/mqtt/connection.ts'
import { keyOf, parseKey } from '../devices/mqtt/topics.ts'
import { systemClock } from '../lib/clock.ts'
import { parseSize } from '../lib/size.ts'
import type { Finish, Terminal } from './terminal.ts'

interface IotDeviceOptions {
  readonly broker: string
  readonly count: number
  readonly type: string
  readonly id: string
  readonly org: string
  readonly token?: string
  readonly trust?: string
  readonly insecure?: true
  readonly gateway?: true
  readonly scopedTopics?: true
  readonly startRate: number
  readonly firmware: string
  readonly lifetime: number
  readonly bandwidth: number
  readonly capacity: number
  readonly verifyTime: number
  readonly installTime: number
  readonly bootTime: number
  readonly fail?: Failure
  readonly quirk: readonly (Quirk | typeof IBM_SDK)[]
}

const IBM_SDK = 'ibm-sdk'
const MAX_COUNT = 100_000

/** `redflash iot-device`: devices of IBM's device management, each with an MQTT connection of its own. */
export function addIotDeviceCommand(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('iot-device')
    .description('simulate devices of IBM’s device management, connected to an MQTT broker')
    .option('--broker <url>', 'where they connect to', 'mqtt://127.0.0.1:1883')
    .option('--count <number>', 'how many there are', wholeNumber(MAX_COUNT), 1)
    .option('--type <id>', 'their type', 'redflash')
    .option('--id <name>', 'what their identifiers begin with', 'device')
    .option('--org <id>', 'the organisation in their client identifiers', 'local')
    .option('--token <token>', 'their authentication token (default: REDFLASH_IOT_TOKEN)')
    .option(
      '--trust <file>',
      'certificates (PEM) by which they know a broker of mqtts, instead of those that everybody trusts',
    )
    .option('--insecure', 'accept any certificate of a broker')
    .option('--gateway', 'one connection for all of them, of a gateway')
    .option('--scoped-topics', 'topics with type and identifier, for brokers that do not tell devices apart')
    .option('--start-rate <number>', 'how many connect in a second', wholeNumber(10_000), 50)
    .option('--firmware <version>', 'what they run when they are new', '1.0.0')
    .option(
      '--lifetime <seconds>',
      'for how long they ask to be managed; 0 is for ever',
      wholeNumber(2 ** 31),
      3_600,
    )
    .addOption(anySize('--bandwidth <size>', 'how much of an image each takes in a second'))
    .addOption(anySize('--capacity <size>', 'the largest image that they have room for'))
    .option('--verify-time <ms>', 'how long it takes to verify an image', wholeNumber(2 ** 31), 500)
    .option('--install-time <ms>', 'how long it takes to install it', wholeNumber(2 ** 31), 2_000)
    .option('--boot-time <ms>', 'how long it takes to boot', wholeNumber(2 ** 31), 1_000)
    .addOption(new Option('--fail <what>', 'what goes wrong').choices(Object.keys(failures)))
    .addOption(
      new Option('--quirk <name...>', `what they do otherwise than IBM’s documents; ${IBM_SDK} is all of it`)
        .choices([IBM_SDK, ...Object.keys(quirks)])
        .default([], 'none'),
    )
    .action(async (options: IotDeviceOptions, command: Command) => {
      const devices = Array.from({ length: options.count }, (_, index) => ({
        typeId: options.type,
        deviceId: `${options.id}-${index + 1}`,
      }))
      const gateway = { typeId: options.type, deviceId: `${options.id}-gateway` }
      if ([gateway, ...devices].some((device) => parseKey(keyOf(device)) === undefined))
        command.error('error: types and identifiers have up to 36 letters, digits, “-”, “_” and “.”')
      await run(terminal, { ...options, devices, gateway: options.gateway && gateway })
      finish(0)
    })
}

async function run(
  { out, environment, stopped }: Terminal,
  options: Omit<IotDeviceOptions, 'gateway'> & Pick<AgentsOptions, 'devices' | 'gateway'>,
): Promise<void> {
  // Loaded here: no other command needs an MQTT client.
  const trust = await trustOf(options)
  const { Agents } = await import('../devices/mqtt/agent/agents.ts')
  const { broker, org, devices, gateway, scopedTopics, startRate } = options
  const reasons = new Set<string>()
  const { promise: broken, reject } = Promise.withResolvers<never>()
  const agents = new Agents({
    clock: systemClock,
    broker,
    org,
    devices,
    gateway,
    scopedTopics: scopedTopics === true,
    startsPerSecond: startRate,
    token: options.token ?? environment['REDFLASH_IOT_TOKEN'],
    trust,
    traits: {
      firmwareVersion: options.firmware,
      lifetimeSeconds: options.lifetime,
      bytesPerSecond: options.bandwidth,
      capacityBytes: options.capacity,
      verifyMs: options.verifyTime,
      installMs: options.installTime,
      bootMs: options.bootTime,
      failure: options.fail,
      quirks: options.quirk.includes(IBM_SDK) ? allQuirks : new Set(options.quirk.filter(isQuirk)),
    },
    told: (device, what) => out.write(`${keyOf(device)} ${what}\n`),
    lost: (why) => {
      // Not as often as there are devices.
      if (reasons.size < reasons.add(why).size) out.write(`no connection to ${broker}: ${why}\n`)
    },
    failed: reject,
  })
  const abort = new AbortController()
  try {
    const ended = stopped()
    await Promise.race([agents.start(abort.signal), ended, broken])
    await Promise.race([ended, broken])
  } finally {
    abort.abort(new Error('stopped'))
    await agents.close()
  }
}

async function trustOf({
  trust: file,
  insecure,
}: Pick<IotDeviceOptions, 'trust' | 'insecure'>): Promise<BrokerTrust | undefined> {
  if (insecure === true) return 'any'
  return file === undefined ? undefined : { certificates: await readFile(file, 'utf8') }
}

function isQuirk(name: Quirk | typeof IBM_SDK): name is Quirk {
  return name !== IBM_SDK
}

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,10}$/.test(text) || Number(text) > most)
      throw new InvalidArgumentError(`It is not a whole number of at most ${most}.`)
    return Number(text)
  }
}

function anySize(flags: string, description: string): Option {
  return new Option(flags, description).argParser(size).default(Infinity, 'any')
}

function size(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined || bytes === 0) throw new InvalidArgumentError('It is no size, as 512KiB is one.')
  return bytes
}
