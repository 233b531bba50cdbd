import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { basename, delimiter, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { stripVTControlCharacters } from 'node:util'

/** Where the tools are and how they run, as the user says. */
export interface Installation {
  /** Holds a checkout of every tool. */
  readonly folder: string
  readonly python: string
  /** The CSDL files that the Service Validator goes by. */
  readonly csdl: string | undefined
  /** Whether the tools' own pauses are cut short: with devices that take no time, nothing happens in them. */
  readonly isHurried: boolean
}

export interface Service {
  readonly url: string
  readonly httpsUrl: string
  readonly user: string
  readonly password: string
}

export interface Outcome {
  readonly pass: number
  readonly fail: number
  readonly warn: number
  readonly notTested: number
  /** What failed, what was warned of and what was not tested, one line each. */
  readonly findings: readonly string[]
}

export interface Tool {
  readonly name: string
  /** Whether its checkout and its own needs are there; otherwise what is missing. */
  readonly missing: (installation: Installation) => string | undefined
  readonly run: (installation: Installation, service: Service, reports: string) => Promise<Outcome>
}

/** What two of the tools import. */
const LIBRARIES = ['python-redfish-library', 'Redfish-Tacklebox']

/** A checkout, called as its repository is, or with its owner before that. */
function checkout({ folder }: Installation, name: string): string | undefined {
  return [name, `DMTF+${name}`].map((one) => join(folder, one)).find((path) => existsSync(path))
}

function missingCheckouts(...names: readonly string[]): Tool['missing'] {
  return (installation) => {
    const absent = names.filter((name) => checkout(installation, name) === undefined)
    return absent.length === 0 ? undefined : `${installation.folder} has no ${absent.join(', no ')}`
  }
}

/** Cuts pauses short: a program that runs another in place. */
const HURRY = `
import runpy, sys, time
pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
`

/** Runs a script of a checkout in place; to what it printed, whatever it ended with. */
async function runScript(
  installation: Installation,
  {
    name,
    script,
    args,
  }: { readonly name: string; readonly script: string; readonly args: readonly string[] },
): Promise<string> {
  const home = checkout(installation, name) ?? ''
  const libraries = LIBRARIES.map((library) => checkout(installation, library)).filter(
    (one) => one !== undefined,
  )
  // Some keep their packages in a folder of their own.
  const paths = [process.env['PYTHONPATH'], home, ...libraries.flatMap((one) => [join(one, 'src'), one])]
  const start = [...(installation.isHurried ? ['-c', HURRY] : []), join(home, script)]
  const child = spawn(installation.python, [...start, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...withoutNetworkSettings(process.env),
      PYTHONPATH: paths.filter((path) => path !== undefined && path !== '').join(delimiter),
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
    },
  })
  const [out, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return stripVTControlCharacters(`${out}\n${complaints}`)
}

/** Proxies, and authorities of certificates that would be asked although the tool is told not to check any. */
function withoutNetworkSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isSetting = (name: string) => /_proxy$|^(REQUESTS|CURL)_CA_BUNDLE$|^SSL_CERT_(FILE|DIR)$/i.test(name)
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSetting(name)))
}

function noSummary(name: string, output: string): Error {
  return new Error(`${name} came to no result:\n${output.trimEnd().split('\n').slice(-15).join('\n')}`)
}

async function filesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  return names.filter((name) => name.endsWith(ending)).map((name) => join(folder, name))
}

async function findingsIn(folder: string, pattern: RegExp): Promise<string[]> {
  const logs = await Promise.all((await filesIn(folder, '.log')).map((log) => readFile(log, 'utf8')))
  return logs.flatMap((log) => [...log.matchAll(pattern)].map(([, finding = '']) => finding))
}

function common(url: string, { user, password }: Service): string[] {
  return ['--rhost', url, '--user', user, '--password', password]
}

/** The files of the bundle and those of our own types: the tool takes one folder. */
async function csdlFolder(csdl: string, reports: string): Promise<string> {
  const folder = join(reports, 'csdl')
  await mkdir(folder)
  const own = await filesIn(resolve(import.meta.dirname, '../schemas/oem'), '.xml')
  for (const file of [...(await filesIn(csdl, '.xml')), ...own])
    await symlink(file, join(folder, basename(file)))
  return folder
}

const serviceValidator: Tool = {
  name: 'Service Validator',
  missing: (installation) =>
    installation.csdl === undefined
      ? 'no folder with CSDL files is named (--csdl)'
      : missingCheckouts('Redfish-Service-Validator', ...LIBRARIES)(installation),
  run: async (installation, service, reports) => {
    const output = await runScript(installation, {
      name: 'Redfish-Service-Validator',
      script: 'RedfishServiceValidator.py',
      // It fetches no schema: what is not among the files is not known.
      args: [
        ...common(service.url, service),
        '--logdir',
        reports,
        '--schema_directory',
        await csdlFolder(installation.csdl ?? '', reports),
        '--skipschema',
      ],
    })
    const totals = /\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|/.exec(output)
    if (totals === null) throw noSummary('the Service Validator', output)
    const [pass = 0, warn = 0, fail = 0, notTested = 0] = totals.slice(1).map(Number)
    const findings = await findingsIn(reports, / - ((?:FAIL|WARN) - .*)/g)
    return { pass, fail, warn, notTested, findings }
  },
}

const protocolValidator: Tool = {
  name: 'Protocol Validator',
  missing: missingCheckouts('Redfish-Protocol-Validator'),
  run: async (installation, service, reports) => {
    const output = await runScript(installation, {
      name: 'Redfish-Protocol-Validator',
      script: 'rf_protocol_validator.py',
      args: [
        ...common(service.httpsUrl, service),
        '--no-cert-check',
        '--report-dir',
        reports,
        '--report-type',
        'tsv',
      ],
    })
    const [tsv] = await filesIn(reports, '.tsv')
    if (tsv === undefined) throw noSummary('the Protocol Validator', output)
    return countAssertions(await readFile(tsv, 'utf8'))
  },
}

const RESULTS = ['FAIL', 'WARN', 'PASS', 'NOT_TESTED']

/** The tool counts every look at an assertion; here each counts once, with its worst result. */
function countAssertions(tsv: string): Outcome {
  const [first = '', ...lines] = tsv.split(/\r?\n/)
  const columns = first.split('\t')
  const at = (name: string): number => columns.findIndex((column) => column.trim().toLowerCase() === name)
  const [assertion, result, note] = [at('assertion'), at('result'), at('message')]
  const worst = new Map<string, { readonly result: string; readonly note: string }>()
  for (const cells of lines.map((line) => line.split('\t'))) {
    const name = cells[assertion] ?? ''
    const found = { result: (cells[result] ?? '').trim().replace(' ', '_'), note: cells[note] ?? '' }
    const before = worst.get(name)
    if (!RESULTS.includes(found.result)) continue
    if (before === undefined || RESULTS.indexOf(found.result) < RESULTS.indexOf(before.result)) {
      worst.set(name, found)
    }
  }
  const of = (wanted: string) => [...worst].filter(([, one]) => one.result === wanted)
  return {
    pass: of('PASS').length,
    fail: of('FAIL').length,
    warn: of('WARN').length,
    notTested: of('NOT_TESTED').length,
    findings: ['FAIL', 'WARN', 'NOT_TESTED'].flatMap((one) =>
      of(one).map(([name, found]) => `${one} - ${name}: ${found.note}`),
    ),
  }
}

const useCaseCheckers: Tool = {
  name: 'Use Case Checkers',
  missing: missingCheckouts('Redfish-Usecase-Checkers', ...LIBRARIES),
  run: async (installation, service, reports) => {
    const output = await runScript(installation, {
      name: 'Redfish-Usecase-Checkers',
      script: 'rf_use_case_checkers.py',
      args: [...common(service.url, service), '--report-dir', reports],
    })
    const totals = /Summary - PASS: (\d+), WARN: (\d+), FAIL: (\d+), NOT TESTED: (\d+)/.exec(output)
    if (totals === null) throw noSummary('the Use Case Checkers', output)
    const [pass = 0, warn = 0, fail = 0, notTested = 0] = totals.slice(1).map(Number)
    const findings = await findingsIn(reports, / - ((?:ERROR|WARNING) - .*)/g)
    return { pass, fail, warn, notTested, findings }
  },
}

export const tools: readonly Tool[] = [serviceValidator, protocolValidator, useCaseCheckers]
