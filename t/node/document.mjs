// docs/openapi.yaml as what requests and answers are held against.
import { readFileSync } from 'node:fs';

import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const SCHEMAS = ['items', 'additionalProperties', 'not', 'contains',
    'propertyNames', 'unevaluatedProperties'];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const MAPS = ['properties', 'patternProperties', '$defs'];

const each = (o, f) => Object.fromEntries(
    Object.entries(o).map(([k, v]) => [k, f(v)]));

export class Document {
    constructor(file) {
        this.doc = parse(readFileSync(file, 'utf8'));
        this.ajv = new Ajv({ strict: true, strictTypes: false,
            strictRequired: false, allErrors: true });
        addFormats(this.ajv);
        this.ajv.addVocabulary(['example']);
        this.compiled = new Map();
        this.operations = new Map();
        for (const [path, item] of Object.entries(this.doc.paths)) {
            for (const method of METHODS.filter((m) => item[m])) {
                const o = item[method];
                const parameters = [...(item.parameters || []),
                    ...(o.parameters || [])].map((p) => this.resolve(p));
                this.operations.set(o.operationId, { ...o, path, parameters,
                    method: method.toUpperCase(),
                    open: (o.security || this.doc.security).length === 0,
                    bearer: (o.security || this.doc.security)
                        .some((s) => s.bearer) });
            }
        }
    }

    /* What is wrong with the document itself: a text, or "". */
    async faults() {
        const result = await new Validator().validate(
            structuredClone(this.doc));
        return result.valid ? '' : JSON.stringify(result.errors, null, 1);
    }

    operation(id) {
        const o = this.operations.get(id);
        if (!o) {
            throw new Error(`${id} is no operation of the document`);
        }
        return o;
    }

    resolve(part) {
        if (!part || !part.$ref) {
            return part;
        }
        const found = part.$ref.replace(/^#\//, '').split('/')
            .reduce((o, key) => o && o[key], this.doc);
        if (!found) {
            throw new Error(`${part.$ref} leads nowhere`);
        }
        return this.resolve(found);
    }

    /* The schema with its references put in. Clients must not mind a member
     * that they don't know, so the document leaves its objects open; here
     * they are closed, so that it names whatever is answered. */
    closed(schema, part = false) {
        if (typeof schema !== 'object' || schema === null) {
            return schema;
        }
        if (schema.$ref) {
            return this.closed(this.resolve(schema), part);
        }
        const out = { ...schema };
        const inner = part || Boolean(schema.properties);
        for (const key of SCHEMAS.filter((k) => k in out)) {
            out[key] = this.closed(out[key]);
        }
        for (const key of MAPS.filter((k) => k in out)) {
            out[key] = each(out[key], (s) => this.closed(s));
        }
        for (const key of LISTS.filter((k) => k in out)) {
            out[key] = out[key].map((s) => this.closed(s,
                key === 'allOf' || inner));
        }
        const open = !('additionalProperties' in out
            || 'unevaluatedProperties' in out);
        if (!part && open && (out.properties || out.allOf)) {
            out.unevaluatedProperties = false;
        }
        return out;
    }

    /* Why value does not fit the schema: a list of texts. */
    misfits(schema, value, close = true) {
        const key = `${close} ${JSON.stringify(schema)}`;
        if (!this.compiled.has(key)) {
            this.compiled.set(key, this.ajv.compile(close
                ? this.closed(schema) : this.inlined(schema)));
        }
        const check = this.compiled.get(key);
        return check(value) ? [] : check.errors.map((e) =>
            `${e.instancePath || '/'} ${e.message} ${
                JSON.stringify(e.params)}`);
    }

    inlined(schema) {
        if (typeof schema !== 'object' || schema === null) {
            return schema;
        }
        if (Array.isArray(schema)) {
            return schema.map((s) => this.inlined(s));
        }
        return schema.$ref ? this.inlined(this.resolve(schema))
            : each(schema, (s) => this.inlined(s));
    }

    /* The JSON body's schema, references put in; undefined: none. */
    bodySchema(o) {
        const body = this.resolve(o.requestBody);
        const json = body && body.content['application/json'];
        return json && this.inlined(json.schema);
    }

    /* Why a request with these path, query and headers (objects) and body is
     * none of the document. Undocumented names are refused. */
    requestFaults(o, { path = {}, query = {}, headers = {}, body, raw, form,
        type = form && 'multipart/form-data' }) {
        const faults = [];
        for (const [where, given] of [['path', path], ['query', query],
            ['header', headers]]) {
            const known = o.parameters.filter((p) => p.in === where);
            for (const [name, value] of Object.entries(given)) {
                const p = known.find((k) =>
                    k.name.toLowerCase() === name.toLowerCase());
                faults.push(...p
                    ? this.misfits(p.schema, this.typed(p.schema, value))
                        .map((e) => `${where} ${name}: ${e}`)
                    : [`${where} ${name} is not documented`]);
            }
            faults.push(...known.filter((p) => p.required
                && !(p.name in given)).map((p) => `${p.name} is missing`));
        }
        const declared = this.resolve(o.requestBody);
        const content = declared ? declared.content : {};
        if (declared && declared.required && body === undefined && !type) {
            faults.push('the body is missing');
        }
        if (body !== undefined) {
            faults.push(...content['application/json']
                ? this.misfits(content['application/json'].schema, body)
                : ['no JSON body is documented']);
        } else if (type && !content[type]) {
            faults.push(`no body of ${type} is documented`);
        } else if (raw !== undefined && !type) {
            faults.push('a body without a type');
        }
        return faults;
    }

    /* A query has but strings: what the schema would see. */
    typed(schema, value) {
        const s = this.resolve(schema);
        const types = [s.type].flat();
        return (types.includes('integer') || types.includes('number'))
            && /^-?\d+$/.test(value) ? Number(value) : value;
    }

    /* Why an answer is none of the operation's. */
    answerFaults(o, r) {
        const declared = this.resolve(o.responses[String(r.status)]);
        if (!declared) {
            return [`${r.status} is not documented: ${
                r.text.slice(0, 300)}`];
        }
        const faults = Object.entries(declared.headers || {})
            .flatMap(([name, h]) => this.headerFaults(name,
                this.resolve(h).schema, r.headers.get(name)));
        const type = (r.headers.get('content-type') || '')
            .split(';')[0].trim();
        const content = declared.content;
        if (!content) {
            return r.bytes.length === 0 ? faults
                : [...faults, 'a body where none is documented'];
        }
        const key = [type, `${type.split('/')[0]}/*`, '*/*']
            .find((k) => k in content);
        if (!key) {
            return [...faults, `content type ${type || 'none'}`];
        }
        if (key !== 'application/json') {
            return faults;
        }
        if (r.json === undefined) {
            return [...faults, `not JSON: ${r.text.slice(0, 200)}`];
        }
        return [...faults, ...this.misfits(content[key].schema, r.json)];
    }

    /* What is declared comes, and is what it is declared to be. */
    headerFaults(name, schema, value) {
        return value === null ? [`no header ${name}`]
            : this.misfits(schema, /^\d+$/.test(value)
                && [schema.type, typeof schema.const].some((t) =>
                    t === 'integer' || t === 'number')
                ? Number(value) : value).map((e) => `${name}: ${e}`);
    }

    /* Objects that do not say what is in them, by where they stand. */
    loose() {
        const found = [];
        const look = (s, where) => {
            if (typeof s !== 'object' || s === null || s.$ref) {
                return;
            }
            const object = [s.type].flat().includes('object');
            if (object && !('properties' in s || 'additionalProperties' in s
                || LISTS.some((k) => k in s))) {
                found.push(`${where}: an object of anything`);
            }
            if (object && s.properties && !s.required
                && !/requestBody/.test(where)) {
                found.push(`${where}: an object without a required member`);
            }
            if ([s.type].flat().includes('array') && !('items' in s)) {
                found.push(`${where}: a list of anything`);
            }
            for (const [k, v] of Object.entries(s)) {
                look(v, `${where}/${k}`);
            }
        };
        look(this.doc.paths, 'paths');
        look(this.doc.components, 'components');
        return found;
    }
}
