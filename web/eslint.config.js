import js from '@eslint/js';
import vue from 'eslint-plugin-vue';
import globals from 'globals';

export default [
    js.configs.recommended,
    ...vue.configs['flat/recommended'],
    {
        files: ['src/**'],
        languageOptions: { globals: globals.browser },
    },
    {
        files: ['test/**', '*.js'],
        languageOptions: { globals: globals.node },
    },
    {
        rules: {
            curly: ['error', 'all'],
            eqeqeq: 'error',
            'no-eval': 'error',
            'no-implied-eval': 'error',
            'no-new-func': 'error',
            'no-console': 'error',
            'no-unused-vars': ['error', { argsIgnorePattern: '^_',
                varsIgnorePattern: '^_' }],
            // What donors write is shown, never run.
            'vue/no-v-html': 'error',
            'vue/first-attribute-linebreak': 'off',
            'vue/html-closing-bracket-newline': 'off',
            'vue/multiline-html-element-content-newline': 'off',
            'vue/html-indent': 'off',
            'vue/multi-word-component-names': 'off',
            // The CSP forbids style attributes in markup.
            'vue/no-static-inline-styles': ['error',
                { allowBinding: true }],
            'vue/max-attributes-per-line': 'off',
            'vue/singleline-html-element-content-newline': 'off',
            'vue/html-self-closing': ['error',
                { html: { void: 'always', normal: 'never' } }],
            'vue/require-default-prop': 'off',
        },
    },
];
