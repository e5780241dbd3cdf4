'use strict';

/*
 * docs/openapi.yaml is a valid description, and answers of the module, as a
 * list of [path, method, answer] in JSON on the standard input, are what it
 * describes.  Prints "ok" or "not ok" and the name of each check.
 */

const fs = require('fs');
const path = require('path');
const Ajv = require('ajv/dist/2020').default;
const formats = require('ajv-formats').default;
const yaml = require('yaml');

const file = path.join(__dirname, '..', '..', 'docs', 'openapi.yaml');

function check(good, name, got) {
    console.log((good ? 'ok ' : 'not ok ') + name
                + (good ? '' : ' ' + JSON.stringify(got)));
}

(async () => {
    const { Validator } = await import(require.resolve(
        '@seriousme/openapi-schema-validator'));
    const r = await new Validator().validate(file);

    check(r.valid, 'the description is valid', r.errors);

    const doc = yaml.parse(fs.readFileSync(file, 'utf8'), { merge: true });
    const ajv = new Ajv({ strict: false, allErrors: true });

    formats(ajv);

    /* a member that is not described is an error here */

    for (const name of ['Lock', 'Clash', 'VersionItem']) {
        doc.components.schemas[name].additionalProperties = false;
    }

    ajv.addSchema(doc, 'doc', undefined, false);

    const described = new Set(JSON.stringify(doc.components.schemas).match(
        /(?<="error":\{"(const":|enum":\[))"[^\]}]*/g).flatMap(
            s => s.match(/[a-z_]{3,}/g)));
    const asked = new Set();

    for (const [at, method, answer] of JSON.parse(fs.readFileSync(0))) {
        const { status, headers, body } = answer;
        const what = `${method} ${at} ${status} ${body?.error ?? ''}`;
        let response = doc.paths[at][method].responses[status], ref = '';

        if (!response) {
            check(false, what + ' is not described', answer);
            continue;
        }

        if (response.$ref) {
            ref = response.$ref;
            response = ref.slice(2).split('/').reduce((o, k) => o[k], doc);
        }

        for (let [name, header] of Object.entries(response.headers ?? {})) {
            if (header.$ref) {
                header = doc.components.headers[header.$ref.split('/').pop()];
            }

            const value = headers[name.toLowerCase()]?.join(', ');

            check(value === undefined ? !header.required
                                      : ajv.validate(header.schema, value),
                  `${what}: ${name}`, value);
        }

        const type = headers['content-type']?.[0];
        const media = ref && response.content?.[type];

        if (!media) {
            check(!ref, `${what}: ${type}`, answer);
            continue;
        }

        const good = ajv.validate({
            $ref: 'doc' + ref + '/content/' + type.replaceAll('/', '~1')
                  + '/schema',
            unevaluatedProperties: false
        }, body);

        check(good, what, [ajv.errors, body]);
        asked.add(body.error);
    }

    for (const error of described) {
        check(asked.has(error), `${error} was asked for`);
    }

    console.log('described ' + [...described].sort().join(' '));

})().catch(e => check(false, e.stack));
