import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Bmc, Listener } from '../bmc/bmc.ts'
import type { EventSink } from '../events/event-sink.ts'
import type { Spool, SpoolEntry } from '../image/spool/spool.ts'
import { wholes } from '../tasks/retention.ts'
import { isFinal, taskStatus } from '../tasks/task.ts'
import type { Endpoint } from './mount.ts'

const PATH = '/metrics'
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]

/**
 * What the service does, counted for Prometheus: around the ports (spool, event sink), at the hooks of every request, and
 * from what BMCs commit. Loaded only where it is asked for.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = this.#histogram(
    'http_request_duration_seconds',
    'Requests by route, method and status.',
    ['route', 'method', 'status'],
  )
  readonly #spooled = this.#counter('spooled_bytes_total', 'Bytes of images received into the spool.')
  readonly #uploads = this.#counter('images_total', 'Images that began to arrive.')
  readonly #updates = this.#counter(
    'updates_total',
    'Updates that ended, by state and status of their task.',
    ['state', 'status'],
  )
  readonly #events = this.#counter('events_total', 'Event deliveries: taken, refused, or dropped unsent.', [
    'outcome',
  ])

  /** Counts the tasks of these BMCs whenever somebody looks. */
  constructor(bmcs: () => Iterable<Bmc>) {
    collectDefaultMetrics({ register: this.#registry })
    const tasks = new Gauge({
      name: 'redflash_tasks',
      help: 'Tasks that are kept, by state.',
      labelNames: ['state'],
      registers: [this.#registry],
      collect: () => {
        tasks.reset()
        for (const bmc of bmcs()) for (const { state } of wholes(bmc.state.tasks)) tasks.inc({ state })
      },
    })
  }

  /** Counts what a BMC commits from now on. */
  follow(bmc: Bmc): void {
    bmc.listeners.add(this.#onCommit)
  }

  /** A spool that counts what goes into it. */
  countSpool(spool: Spool): Spool {
    const counted = new WeakMap<SpoolEntry, SpoolEntry>()
    const create: Spool['create'] = async (reserveBytes) => {
      const entry = await spool.create(reserveBytes)
      this.#uploads.inc()
      const append: SpoolEntry['append'] = (chunk) => {
        this.#spooled.inc(chunk.byteLength)
        return entry.append(chunk)
      }
      const counting = { ...entry, append }
      counted.set(counting, entry)
      return counting
    }
    return {
      ...spool,
      create,
      settle: (entry, sha256) => spool.settle(counted.get(entry) ?? entry, sha256),
    }
  }

  /** A sink that counts what it was given, and what was taken. */
  countSink(sink: EventSink): EventSink {
    return {
      deliver: async (delivery) => {
        const isTaken = await sink.deliver(delivery)
        this.#events.inc({ outcome: isTaken ? 'taken' : 'refused' })
        return isTaken
      },
      close: () => sink.close(),
    }
  }

  /** An event that its subscriber will never be sent. */
  readonly eventDropped = (): void => this.#events.inc({ outcome: 'dropped' })

  /** Counts and times every request. */
  install(app: FastifyInstance): void {
    app.addHook('onResponse', (request, reply, done) => {
      const route = request.redflash?.route?.path ?? 'none'
      const labels = { route, method: request.method, status: String(reply.statusCode) }
      this.#requests.observe(labels, reply.elapsedTime / 1_000)
      done()
    })
  }

  /** Where Prometheus reads; whoever may log in may look. */
  endpoint(): Endpoint {
    return {
      path: PATH,
      privileges: {},
      methods: {
        GET: async (_request, reply) => {
          const text = await this.#registry.metrics()
          return reply.header('Allow', 'GET').type(this.#registry.contentType).send(text)
        },
      },
      produces: 'text/plain',
    }
  }

  readonly #onCommit: Listener = ({ tasks = [] }, before) => {
    const earlier = new Map(before.tasks ?? [])
    for (const [id, task] of tasks) {
      const was = earlier.get(id)
      if (task === undefined || task.parent !== undefined) continue
      if (!isFinal(task.state) || (was !== undefined && isFinal(was.state))) continue
      this.#updates.inc({ state: task.state, status: taskStatus(task) ?? 'OK' })
    }
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `redflash_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    const registers = [this.#registry]
    return new Histogram({ name: `redflash_${name}`, help, labelNames, buckets: SECONDS, registers })
  }
}
