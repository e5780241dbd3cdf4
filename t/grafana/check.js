'use strict';

/*
 * Checks a dashboard against the types of Grafana's own schema: check.js FILE.
 * Prints each error; nothing if there is none.
 */

const fs = require('fs');
const path = require('path');
const ts = require('typescript');

const modules = process.env.NODE_PATH;
const dashboard = JSON.parse(fs.readFileSync(process.argv[2]));

/* what the schema leaves open: options by the kind of the panel */

const KINDS = {
    bargauge: 'BarGauge', stat: 'Stat', timeseries: 'TimeSeries'
};

const lines = ["import * as schema from '@grafana/schema';"];

for (const [kind, name] of Object.entries(KINDS)) {
    lines.push(`import type * as ${kind} from '@grafana/schema/dist/esm/raw/`
               + `composable/${kind}/panelcfg/x/${name}PanelCfg_types.gen.d.ts';`);
}

/* enums as their values, and options that need not be there */

lines.push(`
type Plain<T> = T extends string ? \`\${T}\`
    : T extends number | boolean | null | undefined ? T
    : T extends Array<infer U> ? Plain<U>[]
    : { [K in keyof T]: Plain<T[K]> };
type Some<T> = T extends Array<infer U> ? Some<U>[]
    : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
type Query = { datasource: schema.DataSourceRef; expr: string; refId: string;
    legendFormat?: string; instant?: boolean; range?: boolean };
type Anno = schema.AnnotationQuery & { expr?: string; step?: string;
    titleFormat?: string; textFormat?: string; tagKeys?: string };
`);

function typed(name, type, value) {
    lines.push(`export const ${name}: ${type} = `
               + JSON.stringify(value, null, 1) + ';');
}

const { annotations, panels, ...rest } = dashboard;

typed('dashboard', 'Plain<Omit<schema.Dashboard, "annotations">>', rest);
typed('annotations', 'Plain<Anno>[]', annotations.list);

for (const panel of panels) {
    const name = 'panel_' + panel.id;

    if (panel.type === 'row') {
        typed(name, 'Plain<schema.RowPanel>', panel);
        continue;
    }

    if (!KINDS[panel.type]) {
        console.log(panel.title + ': a kind that is not checked');
        continue;
    }

    typed(name, 'Plain<schema.Panel>', panel);
    typed(name + '_options', `Some<Plain<${panel.type}.Options>>`,
          panel.options);
    typed(name + '_targets', 'Query[]', panel.targets);

    if (panel.fieldConfig.defaults.custom) {
        typed(name + '_custom', `Some<Plain<${panel.type}.FieldConfig>>`,
              panel.fieldConfig.defaults.custom);
    }
}

const dir = fs.mkdtempSync(path.join(modules, '..', 'check-'));
const file = path.join(dir, 'dashboard.ts');

fs.writeFileSync(file, lines.join('\n'));

const program = ts.createProgram([file], {
    noEmit: true, strict: true, skipLibCheck: true, types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler
});

for (const d of ts.getPreEmitDiagnostics(program)) {
    const at = d.file ? d.file.getLineAndCharacterOfPosition(d.start).line : 0;

    console.log(lines.join('\n').split('\n')[at] + ': '
                + ts.flattenDiagnosticMessageText(d.messageText, ' '));
}

fs.rmSync(dir, { recursive: true });
