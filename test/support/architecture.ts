/** Source files by their path below `src/`. */
export type Sources = ReadonlyMap<string, string>

export interface Import {
  readonly from: string
  /** As it is written, or resolved to a path below `src/` where it is relative. */
  readonly to: string
  readonly isTypeOnly: boolean
}

/** From the bottom to the top: an arrow only points down, and rooms of one layer do not know each other. */
export const layers: readonly (readonly string[])[] = [
  ['lib'],
  ['redfish', 'journal'],
  ['bmc'],
  ['image', 'tasks', 'devices', 'transfer'],
  ['update', 'events'],
  ['rollout'],
  ['console'],
  ['http'],
  ['services', 'faults'],
  ['fleet'],
  ['settings.ts', 'engines.ts'],
  ['app.ts', 'config.ts'],
  ['data.ts'],
  ['console.ts'],
  ['service.ts'],
  ['index.ts'],
  ['cli'],
  ['main.ts'],
]
/**
 * Stands beside the house: it speaks to any Redfish service. Real BMCs are such services: their adapter adds to it what a
 * device is, and there is one way to follow a task through a reset.
 */
const CLIENT = 'client'
const clientUses = [CLIENT, 'lib', 'redfish']
const clientUsers = ['client/', 'cli/', 'devices/redfish/']

/** Who may use what touches the outside; a path that ends with `/` is a folder. `types` may import types of it. */
const adapters: readonly {
  readonly module: RegExp
  readonly users: readonly string[]
  readonly types?: readonly string[]
}[] = [
  {
    module: /^node:fs(\/promises)?$/,
    users: [
      'bmc/mockup-folder.ts',
      'image/spool/file-spool.ts',
      'image/spool/spool-folder.ts',
      'image/spool/spool-file.ts',
      'journal/database-file.ts',
      'journal/sqlite-journal.ts',
      'http/key-pair-files.ts',
      'image/trust/trust-folder.ts',
      'faults/devices-file.ts',
      'fleet/fleet-file.ts',
      'transfer/folder.ts',
      'client/send-image.ts',
      'devices/command/image-file.ts',
      'devices/command/program.ts',
      'cli/',
    ],
  },
  // certificate.ts, destinations.ts, address-list.ts and tftp.ts ask only what an address is
  {
    module: /^node:net$/,
    users: [
      'devices/mqtt/broker.ts',
      'devices/mqtt/doors.ts',
      'http/door.ts',
      'http/own-address.ts',
      'http/certificate.ts',
      'http/ssdp.ts',
      'events/destinations.ts',
      'lib/address-list.ts',
      'transfer/network.ts',
      'transfer/tftp.ts',
      'transfer/tls.ts',
    ],
    types: ['http/', 'transfer/', 'devices/amt/simulated/'],
  },
  {
    module: /^node:http$/,
    users: ['http/server.ts', 'devices/amt/simulated/amt-server.ts'],
    types: ['http/', 'services/update-service/'],
  },
  // certificates.ts asks only whether TLS takes a certificate
  {
    module: /^node:(https|tls|http2)$/,
    users: [
      'http/handshakes.ts',
      'http/certificates.ts',
      'transfer/tls.ts',
      'devices/amt/simulated/amt-server.ts',
    ],
  },
  { module: /^node:dgram$/, users: ['http/ssdp.ts', 'http/own-address.ts', 'transfer/tftp.ts'] },
  { module: /^node:dns(\/promises)?$/, users: ['transfer/network.ts'] },
  {
    module: /^node:worker_threads$/,
    users: ['image/digests/stream-digests.ts', 'image/digests/digest-thread.ts'],
  },
  { module: /^node:vm$/, users: ['lib/within-time.ts'] },
  // spool-folder.ts: of a database, only its lock
  { module: /^node:sqlite$/, users: ['image/spool/spool-folder.ts', 'journal/'] },
  { module: /^node:(child_process|cluster)/, users: ['devices/command/program.ts'] },
  { module: /^node:(timers|perf_hooks)/, users: ['lib/clock.ts'] },
  // program.ts: what it starts has an environment, and is killed with all that it started
  { module: /^node:process$/, users: ['main.ts', 'devices/command/program.ts'] },
  {
    module: /^fastify$/,
    users: ['app.ts', 'fleet/control.ts'],
    types: ['http/', 'services/', 'service.ts', 'index.ts'],
  },
  {
    module: /^undici$/,
    users: [
      'client/',
      'events/http-sink.ts',
      'devices/amt/connection.ts',
      'devices/amt/simulated/boot-fetcher.ts',
      'transfer/http.ts',
      'transfer/http-connection.ts',
      'transfer/http-visit.ts',
      'devices/mqtt/agent/download.ts',
    ],
  },
  { module: /^@device-management-toolkit\//, users: ['devices/amt/management.ts'] },
  { module: /^basic-ftp$/, users: ['transfer/ftp.ts'] },
  { module: /^ssh2$/, users: ['transfer/ssh.ts'], types: ['transfer/'] },
  { module: /^prom-client$/, users: ['http/metrics.ts'] },
  { module: /^mqtt$/, users: ['devices/mqtt/connection.ts'] },
  { module: /^aedes$/, users: ['devices/mqtt/broker.ts'] },
  { module: /^commander$/, users: ['cli/'] },
  { module: /^pino$/, users: ['cli/serve.ts'] },
  { module: /^croner$/, users: ['rollout/windows.ts'] },
]

/** Loads the modules of users, wherever they are. */
const LOADER = 'console/user-module.ts'

/** Files that hold a Date object because somebody else's library takes nothing else; the time in it is given. */
const dateHolders: ReadonlyMap<string, string> = new Map([
  ['devices/amt/abilities.ts', 'when a machine is to wake, as it was given'],
  ['http/certificate.ts', 'X.509 validity, from the clock'],
  ['image/build/bundle.ts', 'tar headers, always the same'],
  ['rollout/windows.ts', 'from when on Croner looks for the next opening'],
  ['image/trust/sign.ts', 'when a signature was made, as it is told'],
])

/** Imports that go up, sideways, into another service, or out of `src`. */
export function findWrongImports(sources: Sources): string[] {
  return allImports(sources).flatMap(({ from, to }) => {
    if (!isRelative(to)) return []
    if (to.startsWith('./..'))
      return /^\.\/\.\.\/schemas\/.*\.json$/.test(to) ? [] : [`${from} imports ${to}, outside src`]
    const target = to.slice(2)
    if (!sources.has(target)) return [`${from} imports ${target}, which does not exist`]
    const reason = wrongArrow(from, target)
    return reason === undefined ? [] : [`${from} imports ${target}: ${reason}`]
  })
}

function wrongArrow(from: string, to: string): string | undefined {
  const [user, used] = [roomOf(from), roomOf(to)]
  if (user === used) {
    const isOtherService = user === 'services' && from.split('/')[1] !== to.split('/')[1]
    return isOtherService ? 'a service knows no other service' : undefined
  }
  if (user === CLIENT) return clientUses.includes(used) ? undefined : 'the client knows only lib and redfish'
  if (used === CLIENT)
    return isIn(from, clientUsers)
      ? undefined
      : 'only the command line and the adapter for real BMCs use the client'
  const [above, below] = [layerOf(user), layerOf(used)]
  if (above === -1 || below === -1) return `${above === -1 ? user : used} has no layer`
  if (above === below) return 'rooms of one layer do not know each other'
  return above > below ? undefined : 'an arrow only points down'
}

/** Files that import each other in a ring, types included. */
export function findCycles(sources: Sources): string[] {
  const edges = Map.groupBy(
    allImports(sources).filter(({ to }) => isRelative(to)),
    ({ from }) => from,
  )
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].join(' → ')]
    if (done.has(file)) return []
    const found = (edges.get(file) ?? []).flatMap(({ to }) => visit(to.slice(2), [...path, file]))
    done.add(file)
    return found
  }
  return [...sources.keys()].flatMap((file) => visit(file, []))
}

/** Modules that touch the outside, imported where no adapter is. */
export function findLeaks(sources: Sources): string[] {
  return allImports(sources).flatMap(({ from, to, isTypeOnly }) =>
    adapters
      .filter(({ module }) => module.test(to))
      .filter(({ users, types = [] }) => !isIn(from, isTypeOnly ? [...users, ...types] : users))
      .map(() => `${from} imports ${to}`),
  )
}

/** Time and timers outside the clock. */
export function findTime(sources: Sources): string[] {
  return findWords(sources, ['lib/clock.ts', 'lib/breath.ts'], (code, file) =>
    dateHolders.has(file) ? code.replaceAll(/\bnew Date\((?!\))/g, '') : code,
  )(/\bDate\b|\b(setTimeout|setInterval|setImmediate|performance|hrtime)\b|\bAbortSignal\.timeout\b/g)
}

/** The process outside its one file. */
export function findProcess(sources: Sources): string[] {
  return findWords(sources, ['main.ts'])(/\bprocess\b(?=\s*[.[?])|\bglobalThis\b|= process\b/g)
}

function findWords(
  sources: Sources,
  allowed: readonly string[],
  prepare = (code: string, _file: string): string => code,
): (words: RegExp) => string[] {
  return (words) =>
    [...sources]
      .filter(([file]) => !allowed.includes(file))
      .flatMap(([file, text]) => {
        const code = prepare(withoutComments(text).replaceAll(/'(?:\\.|[^'\\\n])*'/g, "''"), file)
        return [...code.matchAll(words)].map(([word]) => `${file} uses ${word}`)
      })
}

const MAX_LINES = 400
const empty = /(^|[-/])(utils?|helpers?|common|misc)([-./]|$)/

/** Names, lengths and shapes that the conventions exclude; paths are below the project's root here. */
export function findMisshapen(files: Sources): string[] {
  return [...files].flatMap(([file, text]) => {
    const name = file.slice(file.lastIndexOf('/') + 1)
    const code = withoutComments(text)
    const isGenerated = name.endsWith('.gen.ts')
    const rules: readonly (readonly [boolean, string])[] = [
      [!/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|gen|config))?\.ts$/.test(name), 'its name is not kebab-case'],
      [empty.test(file), 'its name says nothing'],
      [!isGenerated && text.split('\n').length > MAX_LINES + 1, `it has more than ${MAX_LINES} lines`],
      [
        !name.endsWith('.config.ts') && /^export default\b|\bas default\b/m.test(code),
        'it has a default export',
      ],
      [name === 'index.ts' && !hasCodeOfItsOwn(code), 'it only re-exports'],
    ]
    return rules.filter(([broken]) => broken).map(([, reason]) => `${file}: ${reason}`)
  })
}

/** Whether anything is left of a file without its imports and re-exports. */
function hasCodeOfItsOwn(code: string): boolean {
  return code.replaceAll(/^(import|export)\b[^'"]*?['"][^'"]+['"].*$/gm, '').trim() !== ''
}

export function allImports(sources: Sources): Import[] {
  return [...sources].flatMap(([file, text]) => importsOf(file, text))
}

function importsOf(from: string, text: string): Import[] {
  const code = withoutComments(text)
  const statements = [...code.matchAll(/^(?:import|export)\s+([^'"`;=]*?)\bfrom\s*'([^']+)'/gm)]
  const others = [...code.matchAll(/^import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm)]
  const computed = [...code.matchAll(/\bimport\(\s*[^'\s]/g)]
  return [
    ...statements.map(([, what = '', to = '']) => ({
      from,
      to: resolved(from, to),
      isTypeOnly: holdsTypesOnly(what),
    })),
    ...others.map(([, plain, dynamic]) => ({
      from,
      to: resolved(from, plain ?? dynamic ?? ''),
      isTypeOnly: false,
    })),
    // Nobody could say where these lead.
    ...computed
      .filter(() => from !== LOADER)
      .map(() => ({ from, to: './a computed path', isTypeOnly: false })),
  ]
}

function holdsTypesOnly(what: string): boolean {
  if (/^type\b/.test(what)) return true
  const names = /^\{([^}]*)\}\s*$/.exec(what)?.[1]?.split(',') ?? ['']
  return (
    names.filter((name) => name.trim() !== '').every((name) => /^\s*type\s/.test(name)) && names[0] !== ''
  )
}

/** Relative imports become `./` and the path below src; those that leave src keep their `./..`. */
function resolved(from: string, to: string): string {
  if (!isRelative(to)) return to
  const path = from.split('/').slice(0, -1)
  for (const segment of to.split('/')) {
    if (segment === '..' && path.length > 0 && path.at(-1) !== '..') path.pop()
    else if (segment !== '.') path.push(segment)
  }
  return `./${path.join('/')}`
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith('.')
}

function roomOf(file: string): string {
  return file.split('/')[0] ?? file
}

function layerOf(room: string): number {
  return layers.findIndex((rooms) => rooms.includes(room))
}

function isIn(file: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place))
}

/** Code without its comments; strings are stepped over, because some hold `//`. */
function withoutComments(text: string): string {
  return text.replaceAll(
    /('(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_all, string: string | undefined) => string ?? '',
  )
}
