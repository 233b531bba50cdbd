import { type Command, Option } from 'commander'
import { defaultOf, type SettingName, settings } from '../settings.ts'
import { readFileSync } from 'node:fs'
import { type Config, isFleet, parseConfig, type Source } from '../config.ts'
import { type Emulator, startEmulator } from '../index.ts'
import { uris } from '../redfish/uris.ts'
import type { Finish, Terminal } from './terminal.ts'

const PREFIX = 'REDFLASH_'

/** `redflash serve`: settings from arguments, environment and file, then the service until it is told to end. */
export function addServeCommand(program: Command, terminal: Terminal, finish: Finish): void {
  const command = program
    .command('serve', { isDefault: true })
    .description('serve an emulated BMC')
    .addHelpText(
      'after',
      `\nEvery option is also read from the environment (--https-port from ${PREFIX}HTTPS_PORT) and from --config FILE (httpsPort).`,
    )
  for (const option of serveOptions()) command.addOption(option)
  command.action(async () => {
    const config = parseConfig(sources(command, terminal.environment))
    if (!config.ok) {
      terminal.err.write(
        `The configuration is wrong:\n${config.problem.map((line) => `  ${line}\n`).join('')}`,
      )
      return finish(1)
    }
    const { pino } = await import('pino')
    // Standard output is for what the user asked for; the log goes beside it.
    const logger = pino({ level: config.value.logLevel }, pino.destination({ fd: 2, sync: true }))
    const emulator = await startEmulator(config.value, { logger })
    announce(emulator, terminal)
    const failure = await Promise.race([emulator.failure, terminal.stopped()])
    if (failure instanceof Error) {
      terminal.err.write(`${failure.message}\n`)
      finish(1)
    }
    await emulator.close()
  })
}

/** The options that the table of settings makes, and `--config`. */
function serveOptions(): Option[] {
  const options = (Object.keys(settings) as SettingName[]).map((name) => {
    const { placeholder, help } = { placeholder: undefined, ...settings[name] }
    const flag = kebab(name)
    if (placeholder === undefined) {
      return settings[name].default === true
        ? new Option(`--no-${flag}`, `do not ${help}`)
        : new Option(`--${flag}`, help)
    }
    const fallback = defaultOf(name)
    return new Option(`--${flag} <${placeholder}>`, fallback === '' ? help : `${help} (default: ${fallback})`)
  })
  return [...options, new Option('--config <file>', 'JSON file with settings')]
}

/** File, environment and arguments, each overriding the one before. */
function sources(command: Command, environment: Terminal['environment']): Source[] {
  const given = Object.entries(command.opts<Record<string, unknown>>()).filter(
    ([name]) => command.getOptionValueSource(name) === 'cli',
  )
  const { config: file = environment[`${PREFIX}CONFIG`], ...values } = Object.fromEntries(given)
  const named = Object.keys(settings).flatMap((name) => {
    const value = environment[variable(name)]
    return value === undefined ? [] : [[name, value] as const]
  })
  return [
    { nameOf: (name) => `${String(file)}: ${name}`, isText: false, values: readFile(file) },
    { nameOf: variable, isText: true, values: Object.fromEntries(named) },
    { nameOf: (name) => `--${kebab(name)}`, isText: true, values },
  ]
}

function readFile(file: unknown): Record<string, unknown> {
  if (typeof file !== 'string') return {}
  try {
    const data: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof data === 'object' && data !== null && !Array.isArray(data)) return { ...data }
    throw new Error('not a JSON object')
  } catch (error) {
    throw new Error(`--config ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** One line per URL, who may log in, and a line to try. */
function announce(emulator: Emulator, { out }: Terminal): void {
  const { url, httpsUrl, config } = emulator
  if (emulator.bmcs.length === 0) return void out.write(`${emptyLines(emulator).join('\n')}\n`)
  const isPlain = url !== undefined && config.httpMode === 'serve'
  const curl = `curl ${resolving(emulator, isPlain)}${isPlain ? url : `-k ${httpsUrl}`}`
  const password = config.password === defaultOf('password') ? config.password : 'PASSWORD'
  // Each of its groups may have its own.
  const isPlanned = config.fleet !== ''
  const lines = [
    ...[url, httpsUrl].filter((one) => one !== undefined).map((one) => `redflash serves ${one}${uris.root}/`),
    ...fleetLines(emulator),
    ...[emulator.mqttUrl, emulator.mqttsUrl].flatMap((one) =>
      one === undefined ? [] : [`MQTT devices come to ${one}`],
    ),
    ...(isPlanned ? [] : [`user ${config.user}, ${whatItIs(config)}`]),
    isPlanned
      ? `try: ${curl}${uris.root}/`
      : `try: ${curl}${uris.updateService} -u ${config.user}:${password}`,
  ]
  out.write(`${lines.join('\n')}\n`)
}

function whatItIs({ console: isConsole, machine }: Config): string {
  return isConsole ? `a console: devices are attached at ${uris.aggregationSources}` : `machine ${machine}`
}

/** What `curl` needs where a BMC is reached by a name that only this service knows. */
function resolving({ bmcs: [first], config }: Emulator, isPlain: boolean): string {
  if (!isNamed(config) || first === undefined) return ''
  const { httpPort, httpsPort } = first.state.network
  return `--resolve ${first.id}:${isPlain ? httpPort : httpsPort}:${config.host} `
}

function isNamed(config: Config): boolean {
  return isFleet(config) && [...config.reach][0] === 'name'
}

/** A fleet whose BMCs come later. */
function emptyLines({ config, controlUrl }: Emulator): string[] {
  const { host, reach } = config
  const lines = [
    `redflash listens at ${host}; there is no BMC yet, they will be told apart by ${[...reach].join(', ')}`,
  ]
  if (controlUrl === undefined) return lines
  const body = `-H 'Content-Type: application/json' -d '{"group": "NAME"}'`
  return [...lines, `the fleet is listed at ${controlUrl}/bmcs`, `try: curl ${body} ${controlUrl}/bmcs`]
}

/** How many BMCs there are, and where they and their list are. */
function fleetLines(emulator: Emulator): string[] {
  const { bmcs, controlUrl, config } = emulator
  if (!isFleet(config)) return []
  const [last] = bmcs.slice(-1)
  const { url, httpsUrl } = (last && emulator.urlsOf(last)[0]) ?? {}
  const lines = last
    ? [`${bmcs.length} BMCs, the last one (${last.id}) at ${url ?? httpsUrl}${uris.root}/`]
    : []
  if (isNamed(config)) lines.push(`all of these names are served at ${config.host}, whoever resolves them`)
  return [...lines, ...(controlUrl === undefined ? [] : [`the fleet is listed at ${controlUrl}/bmcs`])]
}

/** The option of a setting, without its hyphens: `httpsPort` is `https-port`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The environment variable of a setting. */
export function variable(name: string): string {
  return PREFIX + kebab(name).replaceAll('-', '_').toUpperCase()
}
