# the scripts as a header, made anew when one of them changes

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_lua.h: $ngx_addon_dir/src/store/lua/*
	$ngx_addon_dir/src/store/lua/embed \\
		$ngx_addon_dir/src/store/lua/entry.lua \\
		$ngx_addon_dir/src/store/lua/begin.lua \\
		$ngx_addon_dir/src/store/lua/settle.lua \\
		$ngx_addon_dir/src/store/lua/read.lua \\
		$ngx_addon_dir/src/store/lua/history.lua \\
		$ngx_addon_dir/src/store/lua/lock.lua \\
		$ngx_addon_dir/src/store/lua/stats.lua > \$@

END

# the dashboard's page, the same

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_page.h: $ngx_addon_dir/src/page/*
	$ngx_addon_dir/src/page/embed > \$@

END
