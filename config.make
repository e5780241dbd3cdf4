# the scripts as a header, rebuilt when one of them changes

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_lua.h: $ngx_addon_dir/src/store/redis/lua/*
	$ngx_addon_dir/src/store/redis/lua/embed \\
		$ngx_addon_dir/src/store/redis/lua/entry.lua \\
		$ngx_addon_dir/src/store/redis/lua/begin.lua \\
		$ngx_addon_dir/src/store/redis/lua/settle.lua \\
		$ngx_addon_dir/src/store/redis/lua/read.lua \\
		$ngx_addon_dir/src/store/redis/lua/history.lua \\
		$ngx_addon_dir/src/store/redis/lua/lock.lua \\
		$ngx_addon_dir/src/store/redis/lua/stats.lua > \$@

END

# the page of the dashboard as a header

cat << END >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_conflict_page.h: $ngx_addon_dir/src/page/*
	$ngx_addon_dir/src/page/embed > \$@

END
